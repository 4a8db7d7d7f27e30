"""An autoencoder of pictures, as editors over latents see it, whatever made its latents."""

from typing import Protocol, runtime_checkable

import torch

from editing.diffusion.noise import Latents
from editing.tensors import PictureBatch


@runtime_checkable
class Autoencoder(Protocol):
    """Brings pictures to latents and back; `LatentDiffusion` is one.

    | attribute | what it is |
    |---|---|
    | `device` | where it computes |
    | `dtype` | the precision that it decodes in |
    | `factor` | pixels of a picture to one place of a latent, along each side |
    | `size_multiple` | sides of pictures must be multiples of this |
    | `picture_size` | side of the pictures that it was trained on, in pixels |
    """

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        ...

    @property
    def dtype(self) -> torch.dtype:
        """The precision that it decodes in."""
        ...

    @property
    def factor(self) -> int:
        """Pixels of a picture to one place of a latent, along each side."""
        ...

    @property
    def size_multiple(self) -> int:
        """Sides of pictures must be multiples of this."""
        ...

    @property
    def picture_size(self) -> int:
        """Side of the pictures that it was trained on, in pixels."""
        ...

    def encode(self, pictures: PictureBatch) -> Latents:
        """Latents of pictures in [-1, 1] whose sides are multiples of `factor`, float32."""
        ...

    def decode(self, latents: Latents) -> PictureBatch:
        """Pictures of latents, float32, not clamped to [-1, 1]; gradients pass."""
        ...
