"""The quantiser of a masked-token model as an autoencoder (VQGAN, Esser et al. 2021).

Its latents are what the encoder gives before codes are chosen: they can be moved a little, as
codes cannot.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from editing.diffusion.model import require_pipeline
from editing.diffusion.noise import Latents
from editing.inpainting.masked_token import MaskedTokenOptions
from editing.inpainting.token_loading import load_quantiser, read_grid_side
from editing.tensors import PictureBatch
from transforms.models.files import locate, locate_base
from transforms.models.spec import ModelSpec, read_options


@dataclass(frozen=True, eq=False)
class TokenAutoencoder:
    """`Autoencoder` of a diffusers `VQModel`, whose pictures are in [0, 1] as aMUSEd's are.

    `grid_side` is how many places of a latent a side of the pictures had that it was trained on.
    With `snap` every place becomes its nearest code before it is decoded, and gradients pass as if
    it had not (van den Oord et al. 2017); without it latents are decoded as they are.
    """

    quantiser: Any
    grid_side: int
    snap: bool = False

    @property
    def device(self) -> torch.device:
        """Where the quantiser lies."""
        device: torch.device = next(self.quantiser.parameters()).device
        return device

    @property
    def dtype(self) -> torch.dtype:
        """The precision that it decodes in."""
        dtype: torch.dtype = self.quantiser.dtype
        return dtype

    @property
    def factor(self) -> int:
        """Pixels of a picture to one place of a latent, along each side."""
        factor: int = 2 ** (len(self.quantiser.config.block_out_channels) - 1)
        return factor

    @property
    def size_multiple(self) -> int:
        """Sides of pictures must be multiples of this."""
        return self.factor

    @property
    def picture_size(self) -> int:
        """Side of the pictures that it was trained on, in pixels."""
        return self.grid_side * self.factor

    def encode(self, pictures: PictureBatch) -> Latents:
        """Latents of pictures whose sides are multiples of `factor`, before codes are chosen."""
        unit = (pictures.to(self.device, self.dtype) + 1) / 2
        latents: Tensor = self.quantiser.encode(unit).latents
        return latents.float()

    def decode(self, latents: Latents) -> PictureBatch:
        """Pictures of latents, not clamped to [-1, 1]; gradients pass."""
        # VQModel.decode takes codes, not latents, of a quantiser that is configured as aMUSEd's is.
        quantiser, given = self.quantiser, latents.to(self.dtype)
        if self.snap:
            given = quantiser.quantize(given)[0]
        beside = given if quantiser.config.norm_type == "spatial" else None
        unit: Tensor = quantiser.decoder(quantiser.post_quant_conv(given), beside)
        return unit.float() * 2 - 1


def load_token_autoencoder(spec: ModelSpec) -> TokenAutoencoder:
    """The quantiser of the masked-token model that a spec names, in float32.

    Nothing else of the model is loaded.

    Raises:
        ModelError: it cannot be loaded; the message says why.
    """
    options = read_options(MaskedTokenOptions, spec)
    folder, base = require_pipeline(locate(spec)), locate_base(spec)
    quantiser = load_quantiser(folder, base=base, device=options.device, variant=options.variant)
    return TokenAutoencoder(quantiser, read_grid_side(folder, base=base))
