"""iEdit's objective: from a batch of pairs and the networks to the summands of equation 12."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Bool
from torch import Tensor, nn

from editing.diffusion.model import LatentDiffusion
from editing.diffusion.noise import (
    Alphas,
    Latents,
    Timesteps,
    add_noise,
    alpha_at,
    estimate_latent,
    target_noise,
)
from editing.diffusion.noise_edit import NoiseEditor
from editing.diffusion.settings import SamplingSettings
from editing.editors.iedit.blocks import alternating_groups
from editing.editors.iedit.losses import (
    clip_distance,
    masked_loss,
    paired_loss,
    perceptual_loss,
    weighted_terms,
)
from editing.editors.iedit.training_settings import IEditTraining
from editing.features.clip import ClipSpace
from editing.features.perceptual import PerceptualFeatures
from editing.pictures import to_latent_mask
from editing.requests import EditOutput, Request
from editing.tensors import PerExample, PictureBatch
from editing.training.objective import Columns, Outcome, PairBatch

SAMPLES = SamplingSettings(strength=0.7, num_inference_steps=20)


@dataclass(frozen=True, kw_only=True)
class IEditDraw(Columns):
    """What is random in a step: t of each example, epsilon_1, and which are without their text.

    Without its text an example asks for nothing: its source is its target. It trains what
    classifier-free guidance compares with, see `IEditTraining`.
    """

    timesteps: Timesteps
    noise: Latents
    without_text: Bool[Tensor, " b"]


@dataclass(frozen=True, eq=False)
class IEditObjective:
    """The loss of iEdit, and all else that its training is made of.

    `perceptual` may be None where its term has no weight.
    """

    model: LatentDiffusion
    clip: ClipSpace
    perceptual: PerceptualFeatures | None
    settings: IEditTraining

    def __post_init__(self) -> None:
        if self.settings.weight_perc > 0 and self.perceptual is None:
            raise ValueError("the term perc has a weight, so a perceptual network must be given")
        self.model.unet.requires_grad_(requires_grad=False)

    @functools.cached_property
    def groups(self) -> tuple[dict[str, nn.Parameter], ...]:
        """The blocks that are trained in turn."""
        return alternating_groups(self.model.unet)

    @property
    def picture_size(self) -> int:
        """Side of the pictures that the diffusion model was trained on, in pixels."""
        return self.model.picture_size

    @property
    def size_multiple(self) -> int:
        """Pixels of a picture to one of a latent: the halvings of the autoencoder."""
        return self.model.factor

    def group_of(self, step: int) -> int:
        """Input layers in even steps, the middle in odd ones."""
        return step % len(self.groups)

    def draw(self, generator: torch.Generator, *, count: int, height: int, width: int) -> IEditDraw:
        """Noise level, noise and the loss of text of `count` pairs, in this order."""
        model, factor = self.model, self.model.factor
        channels = int(model.unet.config.in_channels)
        shape = (count, channels, height // factor, width // factor)
        timesteps = torch.randint(model.train_steps, (count,), generator=generator)
        noise = torch.randn(shape, generator=generator)
        without_text = torch.rand(count, generator=generator) < self.settings.empty_share
        return IEditDraw(timesteps=timesteps, noise=noise, without_text=without_text)

    def keep_in(self, folder: Path) -> None:
        """Nothing of a step takes so long that it would be kept."""

    def save_memory(self) -> None:
        """Gradient checkpointing in the noise network and the autoencoder."""
        self.model.unet.enable_gradient_checkpointing()
        self.model.vae.enable_gradient_checkpointing()

    def edit_samples(
        self, requests: Sequence[Request], generators: Sequence[torch.Generator]
    ) -> list[EditOutput]:
        """Edits at strength 0.7 in 20 steps, by the weights of now."""
        return NoiseEditor(self.model).edit(requests, SAMPLES, generators, lambda: None)

    def save(self, folder: Path) -> None:
        """Writes the whole diffusion model as a pipeline folder."""
        self.model.save(folder)

    def __call__(self, batch: PairBatch, draw: IEditDraw) -> Outcome:
        """Equation 12's summands for a batch, differentiable in the noise network's weights."""
        model = self.model
        with torch.no_grad():
            z_1 = model.encode(batch.source)
            z_2 = torch.where(draw.without_text.view(-1, 1, 1, 1), z_1, model.encode(batch.target))
            without_text = draw.without_text.tolist()
            text = model.embed_texts(
                [
                    "" if no else prompt
                    for no, prompt in zip(without_text, batch.edit_prompts, strict=True)
                ]
            )
        alpha = alpha_at(model.alphas_cumprod, draw.timesteps)
        z_t = add_noise(z_1, draw.noise, alpha)
        predicted = model.predict_noise(z_t, draw.timesteps, text)
        terms, empty = self._noise_terms(batch, draw, z_1, z_2, predicted, alpha)
        if self._looks_at_pictures:
            edited = model.decode(estimate_latent(z_t, predicted, alpha))
            with_text = ~draw.without_text
            terms |= {
                name: value * with_text
                for name, value in self._picture_terms(batch, edited).items()
            }
        summands = weighted_terms(
            terms,
            self.settings,
            noise_level=draw.timesteps.float() / model.train_steps,
            alpha=alpha,
            quality=batch.quality,
        )
        return Outcome(summands, predicted, {"empty_masks": int(empty.sum())})

    @property
    def _looks_at_pictures(self) -> bool:
        return any(self.settings.weight(term) > 0 for term in ("loc", "global", "perc"))

    def _noise_terms(
        self,
        batch: PairBatch,
        draw: IEditDraw,
        z_1: Latents,
        z_2: Latents,
        predicted: Latents,
        alpha: Alphas,
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
            combine=self.settings.mask_combine,
        )
        empty = (source_mask.flatten(1).sum(1) == 0) | (target_mask.flatten(1).sum(1) == 0)
        # Without a region to change, equation 8 would teach to leave all as it is.
        return {
            "paired": paired,
            "mask": torch.where(empty | draw.without_text, paired, masked),
        }, empty

    def _picture_terms(self, batch: PairBatch, edited: PictureBatch) -> dict[str, PerExample]:
        terms: dict[str, PerExample] = {}
        inside = edited * batch.source_mask
        if self.settings.weight_global > 0:
            terms["global"] = clip_distance(
                self.clip.embed_pictures(edited), self.clip.embed_texts(batch.edit_prompts)
            )
        if self.settings.weight_loc > 0:
            terms["loc"] = clip_distance(
                self.clip.embed_pictures(inside), self.clip.embed_texts(batch.target_phrases)
            )
        if self.settings.weight_perc > 0:
            assert self.perceptual is not None
            with torch.no_grad():
                target = self.perceptual(batch.target * batch.target_mask)
            terms["perc"] = perceptual_loss(self.perceptual(inside), target)
        return terms
