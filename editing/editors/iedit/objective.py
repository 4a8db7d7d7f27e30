"""iEdit's objective: from a batch of pairs and the networks to the summands of equation 12."""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from editing.choices import MaskCombine
from editing.diffusion.model import LatentDiffusion
from editing.diffusion.noise import Latents, add_noise, alpha_at, estimate_latent, target_noise
from editing.editors.iedit.losses import (
    PerExample,
    TermWeights,
    clip_distance,
    masked_loss,
    paired_loss,
    perceptual_loss,
    weighted_terms,
)
from editing.features.clip import ClipSpace, PerceptualFeatures

Pictures = Float[Tensor, "b 3 height width"]
Masks = Float[Tensor, "b 1 height width"]
BatchT = TypeVar("BatchT", "PairBatch", "Draw")


@dataclass(frozen=True, kw_only=True)
class PairBatch:
    """Pairs to train on.

    `source` and `target` are x_1 and x_2 in [-1, 1]; `source_mask` and `target_mask` M_1 and M_2,
    1 inside, at the pictures' size; `edit_prompts` y_2; `target_phrases` y_2^diff; `quality` a
    weight for each pair with mean 1 over the data set.
    """

    source: Pictures
    target: Pictures
    source_mask: Masks
    target_mask: Masks
    edit_prompts: tuple[str, ...]
    target_phrases: tuple[str, ...]
    quality: PerExample

    def part(self, span: slice) -> "PairBatch":
        """Some of the pairs."""
        return _change(self, lambda column: column[span])

    def to(self, device: torch.device) -> "PairBatch":
        """The same on `device`."""
        return _change(self, lambda c: c.to(device) if isinstance(c, Tensor) else c)

    def join(self, other: "PairBatch") -> "PairBatch":
        """These pairs and those of `other`."""
        columns: dict[str, Any] = {}
        for field in fields(self):
            both = getattr(self, field.name), getattr(other, field.name)
            joined = both[0] + both[1] if isinstance(both[0], tuple) else torch.cat(both)
            columns[field.name] = joined
        return PairBatch(**columns)


@dataclass(frozen=True, kw_only=True)
class Draw:
    """What is random in a step: t of each example, epsilon_1, and which have their text taken away.

    Without its text an example asks for nothing: its source is its target. It trains what
    classifier-free guidance compares with, see `TrainOptions.empty_share`.
    """

    timesteps: Int[Tensor, " b"]
    noise: Latents
    untold: Bool[Tensor, " b"]

    def part(self, span: slice) -> "Draw":
        """That of some of the examples."""
        return _change(self, lambda column: column[span])

    def to(self, device: torch.device) -> "Draw":
        """The same on `device`."""
        return _change(self, lambda column: column.to(device))


def _change(batch: BatchT, change: Callable[[Any], Any]) -> BatchT:
    """A record of columns with every column changed."""
    return replace(batch, **{f.name: change(getattr(batch, f.name)) for f in fields(batch)})


@dataclass(frozen=True)
class Outcome:
    """A batch's summands of equation 12 by name, and in how many examples a mask was empty.

    `predicted` is the noise that all of them pull at.
    """

    terms: dict[str, Float[Tensor, ""]]
    empty_masks: int
    predicted: Latents

    def gradient_norms(self) -> dict[str, float]:
        """How hard each summand pulls: the norm of its gradient in the predicted noise.

        The graph stays for the step's own backward pass.
        """
        return {
            name: torch.autograd.grad(term, self.predicted, retain_graph=True)[0].norm().item()
            for name, term in self.terms.items()
        }


def to_latent_mask(
    mask: Float[Tensor, "b 1 height width"], factor: int
) -> Float[Tensor, "b 1 h w"]:
    """A picture's mask at the size of its latent: 1 where more than half of the pixels are."""
    return (F.avg_pool2d(mask.float(), factor) > 0.5).float()


@dataclass(frozen=True, eq=False)
class IEditObjective:
    """The loss of iEdit. `perceptual` may be None where its term has no weight."""

    model: LatentDiffusion
    clip: ClipSpace
    perceptual: PerceptualFeatures | None
    weights: TermWeights
    mask_combine: MaskCombine = "paper"

    def __post_init__(self) -> None:
        if self.weights.perc > 0 and self.perceptual is None:
            raise ValueError("the term perc has a weight, so a perceptual network must be given")

    def __call__(self, batch: PairBatch, draw: Draw) -> Outcome:
        """Equation 12's summands for a batch, differentiable in the noise network's weights."""
        model = self.model
        with torch.no_grad():
            z_1 = model.encode(batch.source)
            z_2 = torch.where(draw.untold.view(-1, 1, 1, 1), z_1, model.encode(batch.target))
            untold = draw.untold.tolist()
            text = model.embed_texts(
                [
                    "" if no else prompt
                    for no, prompt in zip(untold, batch.edit_prompts, strict=True)
                ]
            )
        alpha = alpha_at(model.alphas_cumprod, draw.timesteps)
        z_t = add_noise(z_1, draw.noise, alpha)
        predicted = model.predict_noise(z_t, draw.timesteps, text)
        terms, empty = self._noise_terms(batch, draw, z_1, z_2, predicted, alpha)
        if self._looks_at_pictures:
            edited = model.decode(estimate_latent(z_t, predicted, alpha))
            told = ~draw.untold
            terms |= {
                name: value * told for name, value in self._picture_terms(batch, edited).items()
            }
        summands = weighted_terms(
            terms,
            self.weights,
            noise_level=draw.timesteps.float() / model.train_steps,
            alpha=alpha,
            quality=batch.quality,
        )
        return Outcome(summands, int(empty.sum()), predicted)

    @property
    def _looks_at_pictures(self) -> bool:
        return any(self.weights.weight(term) > 0 for term in ("loc", "global", "perc"))

    def _noise_terms(
        self,
        batch: PairBatch,
        draw: Draw,
        z_1: Latents,
        z_2: Latents,
        predicted: Latents,
        alpha: PerExample,
    ) -> tuple[dict[str, PerExample], Bool[Tensor, " b"]]:
        wanted = target_noise(z_1, z_2, draw.noise, alpha)
        paired = paired_loss(predicted, wanted)
        factor = self.model.factor
        source_mask = to_latent_mask(batch.source_mask, factor)
        target_mask = to_latent_mask(batch.target_mask, factor)
        masked = masked_loss(
            predicted,
            draw.noise,
            wanted,
            source_mask=source_mask,
            target_mask=target_mask,
            combine=self.mask_combine,
        )
        empty = (source_mask.flatten(1).sum(1) == 0) | (target_mask.flatten(1).sum(1) == 0)
        # Without a region to change, equation 8 would teach to leave all as it is.
        return {"paired": paired, "mask": torch.where(empty | draw.untold, paired, masked)}, empty

    def _picture_terms(self, batch: PairBatch, edited: Pictures) -> dict[str, PerExample]:
        terms: dict[str, PerExample] = {}
        inside = edited * batch.source_mask
        if self.weights.global_ > 0:
            terms["global"] = clip_distance(
                self.clip.embed_pictures(edited), self.clip.embed_texts(batch.edit_prompts)
            )
        if self.weights.loc > 0:
            terms["loc"] = clip_distance(
                self.clip.embed_pictures(inside), self.clip.embed_texts(batch.target_phrases)
            )
        if self.weights.perc > 0:
            assert self.perceptual is not None
            with torch.no_grad():
                target = self.perceptual(batch.target * batch.target_mask)
            terms["perc"] = perceptual_loss(self.perceptual(inside), target)
        return terms
