"""Gradient descent on latents, each edit of a batch by itself.

The step is z <- z - mu |z_0| g / |g| (section 4.3 of Couairon's thesis, after Dong et al. 2018).
Where part of a picture may change, g and |z_0| are of the latent's places there.
"""

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from editing.diffusion.autoencoder import Autoencoder
from editing.diffusion.noise import Latents, spread
from editing.editors.flexit.losses import embedding_loss, latent_distance, perceptual_distance
from editing.editors.flexit.prior import DiffusionPrior
from editing.editors.flexit.settings import Way
from editing.editors.flexit.target import JointEncoder
from editing.editors.flexit.views import ViewMaps, draw_views
from editing.features.caption_likelihood import TextLikelihood
from editing.features.perceptual import PerceptualFeatures
from editing.finite import require_some_finite
from editing.tensors import Embeddings, LatentMask, MaskBatch, PerExample, PictureBatch

Watch = Callable[[int, PictureBatch], None]
"""Is told, before each step, its number from 0 and the pictures as they are."""


@dataclass(frozen=True, eq=False, kw_only=True)
class EditLoss:
    """L_total of equation 4.5, and ours: less what a captioner makes of the prompt.

    `masks` are 1 where `sources` may change, None where all may; with `paste` the sources' own
    pixels are looked at elsewhere. `perceptual`, which sees `source_features` in the sources, and
    `captioner`, which knows the prompts, are None where they have no weight.
    """

    way: Way
    autoencoder: Autoencoder
    encoder: JointEncoder
    target: Embeddings
    sources: PictureBatch
    source_latents: Latents
    masks: MaskBatch | None
    paste: bool = True
    perceptual: PerceptualFeatures | None = None
    source_features: Tensor | None = None
    captioner: TextLikelihood | None = None

    def __call__(self, latents: Latents, maps: ViewMaps) -> tuple[PerExample, PictureBatch]:
        """The loss of each edit, with the pictures that it is of; gradients pass."""
        way = self.way
        with self._precision():
            pictures = self.show(latents)
            embeddings = self.encoder.embed_pictures(pictures, maps)
            loss = embedding_loss(embeddings.float(), self.target, kind=way.embedding)
            if self.captioner is not None:
                likely = self.captioner(pictures)
                loss = loss - way.weight_captioner * likely.to(loss.device)
            if self.perceptual is not None and self.source_features is not None:
                distance = perceptual_distance(self.perceptual(pictures), self.source_features)
                loss = loss + way.weight_perceptual * distance.to(loss.device)
        if way.weight_latent > 0:
            moved = latent_distance(latents, self.source_latents)
            loss = loss + way.weight_latent * moved.to(loss.device)
        return loss, pictures

    def show(self, latents: Latents) -> PictureBatch:
        """The pictures that latents stand for, in [-1, 1], as they are looked at."""
        made = self.autoencoder.decode(latents).clamp(-1, 1)
        if self.masks is None or not self.paste:
            return made
        return torch.where(self.masks > 0.5, made, self.sources)

    def _precision(self) -> AbstractContextManager[object]:
        """Encoders and captioner compute as the autoencoder does, where that is in half."""
        dtype = self.autoencoder.dtype
        if dtype == torch.float32:
            return nullcontext()
        return torch.autocast(self.autoencoder.device.type, dtype=dtype)


def descend(
    loss: EditLoss,
    prior: DiffusionPrior | None,
    generators: Sequence[torch.Generator],
    *,
    watch: Watch,
    on_step: Callable[[], None],
) -> Latents:
    """The latents after all steps, from those of the sources.

    Raises:
        NotFiniteError: a step came to infinite numbers, or none, in all of the batch. Where some
            are finite, the broken ones stay as they are.
    """
    way, source = loss.way, loss.source_latents
    region = touched_places(loss.masks, source)
    reach = _length(source * region)
    z, carried = source, torch.zeros_like(source)
    for step, length in enumerate(step_lengths(way)):
        direction = torch.zeros_like(z)
        if way.prior_share < 1:
            maps = draw_views(generators, count=way.views, plain=way.plain, flips=way.flips)
            gradient, pictures = _gradient(loss, z, maps)
            watch(step, pictures)
            direction = (1 - way.prior_share) * _unit(gradient * region)
        if prior is not None:
            wanted = prior.direction(z, source, generators)
            direction = _unit(direction + way.prior_share * _unit(wanted * region))
        carried = way.momentum * carried + (1 - way.momentum) * direction
        z = z - length * spread(reach) * carried
        require_some_finite(z, where=f"at step {step + 1} of {way.steps}")
        on_step()
    return z


def step_lengths(way: Way) -> list[float]:
    """Mu of every step."""
    if way.schedule == "constant":
        return [way.step_size] * way.steps
    shares = [(step + 0.5) / way.steps for step in range(way.steps)]
    return [way.step_size * (1 + math.cos(math.pi * share)) / 2 for share in shares]


def touched_places(masks: MaskBatch | None, latents: Latents) -> LatentMask:
    """The places of latents that any pixel of a mask lies in: 1 there, 0 elsewhere."""
    if masks is None:
        return torch.ones_like(latents[:, :1])
    return F.adaptive_max_pool2d(masks.to(latents), (latents.shape[-2], latents.shape[-1]))


def _gradient(loss: EditLoss, z: Latents, maps: ViewMaps) -> tuple[Latents, PictureBatch]:
    with torch.enable_grad():
        moved = z.detach().requires_grad_()
        values, pictures = loss(moved, maps)
        (gradient,) = torch.autograd.grad(values.sum(), moved)
    return gradient.float(), pictures.detach()


def _length(values: Latents) -> PerExample:
    length: PerExample = torch.linalg.vector_norm(values.flatten(1), dim=1)
    return length


def _unit(values: Latents) -> Tensor:
    """Each edit's values scaled to length 1; where all are 0 there is nowhere to go."""
    return values / spread(_length(values).clamp_min(torch.finfo(torch.float32).tiny))
