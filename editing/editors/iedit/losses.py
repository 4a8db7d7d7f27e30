"""The losses of iEdit (Bodur et al. 2023), equations 4 to 12, each a function of its own.

Every term is returned per example, shape (b,), so that a step's weight (t/T), a pair's quality or
an empty mask can be told apart before the mean is taken. Masks are 1 where the picture may change,
0 elsewhere. The paper sums squares where it writes norms; here every square is averaged over all
elements, masked-out ones included, so that a term does not grow with the picture.

Symbols and names: epsilon_1 `source_noise`, epsilon_2 `target_noise`, epsilon_theta
`predicted_noise`, M_1 `source_mask`, M_2 `target_mask`.
"""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from editing.diffusion.noise import Alphas, Latents
from editing.editors.iedit.training_settings import IEditTraining, MaskCombine
from editing.tensors import Embeddings, LatentMask, PerExample


def _mean(values: Tensor) -> PerExample:
    return values.flatten(1).mean(dim=1)


def paired_loss(predicted_noise: Latents, target_noise: Latents) -> PerExample:
    """L_paired, equation 4: the predicted noise shall be the one that leads to the target."""
    return _mean((target_noise.float() - predicted_noise.float()) ** 2)


def masked_loss(
    predicted_noise: Latents,
    source_noise: Latents,
    target_noise: Latents,
    *,
    source_mask: LatentMask,
    target_mask: LatentMask,
    combine: MaskCombine = "paper",
) -> PerExample:
    """L_mask, equations 8 and 9: the target's noise inside the masks, the source's outside.

    `paper` takes M_2 for the inside and the complement of M_1 for the outside, as written: what is
    in M_1 alone is asked for nothing, what is in M_2 alone for both. `union` takes the union of
    both masks for the inside and its complement for the outside.

    Raises:
        ValueError: another way to combine.
    """
    if combine == "paper":
        inside, outside = target_mask, 1 - source_mask
    elif combine == "union":
        inside = torch.maximum(source_mask, target_mask)
        outside = 1 - inside
    else:
        raise ValueError(f"combine must be paper or union, got {combine!r}")
    predicted = predicted_noise.float()
    foreground = _mean(((target_noise.float() - predicted) * inside) ** 2)
    background = _mean(((source_noise.float() - predicted) * outside) ** 2)
    return foreground + background


def clip_distance(image_embedding: Embeddings, text_embedding: Embeddings) -> PerExample:
    """D_CLIP of equations 5 and 11: 1 - cosine, in [0, 2].

    For L_global the embeddings are of the whole estimated picture and the edit prompt; for L_loc of
    the picture inside the source mask and the phrase that changed.
    """
    return 1 - F.cosine_similarity(image_embedding.float(), text_embedding.float(), dim=-1)


def perceptual_loss(
    edited_features: Float[Tensor, "b ..."], target_features: Float[Tensor, "b ..."]
) -> PerExample:
    """L_perc, equation 10: mean squared difference of two pictures' features.

    The features are of the estimated picture inside M_1 and of the target inside M_2.

    Raises:
        ValueError: features of different shapes.
    """
    if edited_features.shape != target_features.shape:
        raise ValueError(
            f"features must have one shape, got {tuple(edited_features.shape)} "
            f"and {tuple(target_features.shape)}"
        )
    return _mean((edited_features.float() - target_features.float()) ** 2)


def term_factors(
    settings: IEditTraining, noise_level: PerExample, alpha: Alphas
) -> dict[str, PerExample]:
    """The factor of every term that has one, per example, at `noise_level` t/T in [0, 1): eq. 12.

    The CLIP terms count where little noise is left, the noise terms where much is. `alpha` is
    alpha_t, of which `snr_cap` makes a ratio.
    """
    clear, noisy = 1 - noise_level, noise_level
    if settings.snr_cap is not None:
        noisy = noisy * (settings.snr_cap * (1 - alpha) / alpha).clamp(max=1)
    factors = {
        "loc": settings.weight_loc * clear,
        "global": settings.weight_global * clear,
        "mask": settings.weight_mask * noisy,
        "paired": settings.weight_paired * noisy,
        "perc": settings.weight_perc * torch.ones_like(noise_level),
    }
    return {name: value for name, value in factors.items() if settings.weight(name) > 0}


def weighted_terms(
    terms: Mapping[str, PerExample],
    settings: IEditTraining,
    *,
    noise_level: PerExample,
    alpha: Alphas,
    quality: PerExample | None = None,
) -> dict[str, Float[Tensor, ""]]:
    """Equation 12's summands, each averaged over the batch; their sum is what is minimised.

    `noise_level` is t/T and `alpha` alpha_t. `quality` (b,) weighs whole examples; its mean over
    the data set is 1, so that it does not change the size of the steps.

    Raises:
        KeyError: a term that has a weight is missing.
    """
    share = torch.ones_like(noise_level) if quality is None else quality
    return {
        name: (share * factor * terms[name]).mean()
        for name, factor in term_factors(settings, noise_level, alpha).items()
    }
