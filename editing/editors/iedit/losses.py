"""The losses of iEdit (Bodur et al. 2023), equations 4 to 12, each a function of its own.

Every term is returned per example, shape (b,), so that a step's weight (t/T), a pair's quality or
an empty mask can be told apart before the mean is taken. Masks are 1 where the picture may change,
0 elsewhere. The paper sums squares where it writes norms; here every square is averaged over all
elements, masked-out ones included, so that a term does not grow with the picture.

Symbols and names: epsilon_1 `source_noise`, epsilon_2 `target_noise`, epsilon_theta
`predicted_noise`, M_1 `source_mask`, M_2 `target_mask`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from editing.choices import MASK_COMBINES, PAPER_WEIGHTS, MaskCombine

Latents = Float[Tensor, "b c h w"]
Masks = Float[Tensor, "b 1 h w"]
PerExample = Float[Tensor, " b"]


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
    source_mask: Masks,
    target_mask: Masks,
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
        raise ValueError(f"combine must be one of {', '.join(MASK_COMBINES)}, got {combine!r}")
    predicted = predicted_noise.float()
    foreground = _mean(((target_noise.float() - predicted) * inside) ** 2)
    background = _mean(((source_noise.float() - predicted) * outside) ** 2)
    return foreground + background


def clip_distance(
    image_embedding: Float[Tensor, "b d"], text_embedding: Float[Tensor, "b d"]
) -> PerExample:
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


@dataclass(frozen=True, kw_only=True)
class TermWeights:
    """A factor for each term of equation 12; 0 leaves the term out and saves its work.

    The paper's: 1 for `loc`, `global_` and `mask`, lambda_perc = 0.1 for `perc`. With `mask` 0 and
    `paired` 1 the model is that of section 3.3, without masks.

    `snr_cap` weighs `mask` and `paired` by min(1, snr_cap / SNR), where SNR = alpha / (1 - alpha)
    is the signal-to-noise ratio at step t; None for no cap. It is not in the paper; Hang et al.
    (2023) do so for equation 1. An error of the clean latent is one of SNR times its square in the
    noise, so that the steps with little noise outweigh the others hundreds of times. In them z_t
    shows the source alone, and what can be learnt of targets is the mean of them all, a blur.
    """

    loc: float = PAPER_WEIGHTS["loc"]
    global_: float = PAPER_WEIGHTS["global"]
    mask: float = PAPER_WEIGHTS["mask"]
    paired: float = PAPER_WEIGHTS["paired"]
    perc: float = PAPER_WEIGHTS["perc"]
    snr_cap: float | None = None

    def __post_init__(self) -> None:
        names = [field.name for field in fields(self) if field.name != "snr_cap"]
        for name in names:
            value = getattr(self, name)
            if not value >= 0:
                raise ValueError(f"weight {name} must be at least 0, got {value}")
        if not any(getattr(self, name) for name in names):
            raise ValueError("at least one term must have a weight above 0")
        if self.snr_cap is not None and not self.snr_cap > 0:
            raise ValueError(f"snr_cap must be above 0, got {self.snr_cap}")

    def factors(self, noise_level: PerExample, alpha: PerExample) -> dict[str, PerExample]:
        """Every term's factor, per example, at `noise_level` t/T in [0, 1): equation 12.

        The CLIP terms count where little noise is left, the noise terms where much is. `alpha` is
        alpha_t, of which `snr_cap` makes a ratio.
        """
        clear, noisy = 1 - noise_level, noise_level
        if self.snr_cap is not None:
            noisy = noisy * (self.snr_cap * (1 - alpha) / alpha).clamp(max=1)
        factors = {
            "loc": self.loc * clear,
            "global": self.global_ * clear,
            "mask": self.mask * noisy,
            "paired": self.paired * noisy,
            "perc": self.perc * torch.ones_like(noise_level),
        }
        return {name: value for name, value in factors.items() if self.weight(name) > 0}

    def weight(self, term: str) -> float:
        """The factor of a term by the name it is logged with."""
        return float(getattr(self, "global_" if term == "global" else term))


def weighted_terms(
    terms: Mapping[str, PerExample],
    weights: TermWeights,
    *,
    noise_level: PerExample,
    alpha: PerExample,
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
        for name, factor in weights.factors(noise_level, alpha).items()
    }
