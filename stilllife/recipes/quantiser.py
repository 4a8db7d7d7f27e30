"""The masked-token model's autoencoder: VQModel, 64 x 64 pixels to 16 x 16 of 512 codes.

As aMUSEd's it takes pictures in [0, 1] and looks codes up itself when it decodes.
"""

import math

import torch
from diffusers import VQModel
from torch import nn

from stilllife.recipes.autoencoder import CROP, CROPPED_SHARE, crop_things
from stilllife.recipes.collection import Collection, to_input
from stilllife.recipes.training import Losses
from stilllife.scene import PICTURE_SIZE

CODES = 512
"""Size of the codebook."""

CODE_WIDTH = 8
"""Numbers to a code. Few, because in few dimensions hardly a code goes unused."""

CELL = 4
"""Pixels to a code along each side. At 8, with 64 codes a picture, too little is left of things:
after 2500 steps of 16 pictures the judge read the noun right in half of them."""

THING_WEIGHT = 10.0
"""What an error on a thing counts, against 1 on the background."""

SQUARE_WEIGHT = 4.0
"""Of the squared error beside the absolute one, which alone would leave colours to the median."""

PATIENCE = 60
"""Steps after which a code that nothing was closest to is put where something is."""

RESTARTED_SHARE = 0.6
"""Share of the steps, from the first, in which codes are put elsewhere."""

AT_ONCE = 50
"""Pictures that pass through together outside of training."""


def build_quantiser() -> VQModel:
    """An untrained autoencoder, purely convolutional so that crops can stand for pictures."""
    quantiser = VQModel(
        in_channels=3,
        out_channels=3,
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        block_out_channels=(16, 32, 64),
        layers_per_block=1,
        latent_channels=16,
        num_vq_embeddings=CODES,
        vq_embed_dim=CODE_WIDTH,
        norm_num_groups=8,
        sample_size=PICTURE_SIZE,
        mid_block_add_attention=False,
        lookup_from_codebook=True,
    )
    # The weight of commitment on the encoder's side, as the paper has it (van den Oord et al.
    # 2017, equation 3), not on the codebook's.
    quantiser.quantize.legacy = False
    return quantiser


class QuantiserInTraining(nn.Module):
    """A quantiser, and since when each of its codes was the closest to nothing.

    `idle` (codes,) counts steps; `taken` all steps so far, of `steps` in all.
    """

    def __init__(self, quantiser: VQModel, steps: int) -> None:
        super().__init__()
        self.quantiser = quantiser
        self.steps = steps
        self.idle: torch.Tensor
        self.taken: torch.Tensor
        self.register_buffer("idle", torch.full((quantiser.config.num_vq_embeddings,), PATIENCE))
        self.register_buffer("taken", torch.zeros((), dtype=torch.long))

    @torch.no_grad()
    def restart(self, latents: torch.Tensor, generator: torch.Generator) -> None:
        """Puts codes that were idle for too long at random ones of `latents` (n, 8, h, w).

        At the first step that is all of them but those that happen to lie well.
        """
        found = latents.float().permute(0, 2, 3, 1).reshape(-1, latents.shape[1])
        codebook = self.quantiser.quantize.embedding.weight
        self.idle += 1
        self.idle[torch.cdist(found, codebook).argmin(1).unique()] = 0
        if self.taken < self.steps * RESTARTED_SHARE:
            dead = (self.idle > PATIENCE).nonzero()[:, 0]
            chosen = torch.randint(len(found), (len(dead),), generator=generator)
            codebook[dead] = found[chosen]
            self.idle[dead] = 0
        self.taken += 1


def quantiser_loss(
    training: QuantiserInTraining,
    collection: Collection,
    batch_size: int,
    generator: torch.Generator,
) -> Losses:
    """The losses on a random batch: `error`, weighted, and `codes`, codebook and commitment.

    A batch is of whole pictures or of crops, as in `autoencoder.autoencoder_loss`.
    """
    cropped = torch.rand((), generator=generator).item() < CROPPED_SHARE
    if cropped:
        batch_size *= (PICTURE_SIZE // CROP) ** 2
    rows = torch.randint(len(collection), (batch_size,), generator=generator)
    pictures = to_unit(to_input(collection.pixels[rows.numpy()]))
    things = torch.from_numpy(collection.regions[rows.numpy()] > 0).unsqueeze(1)
    if cropped:
        pictures, things = crop_things(pictures, things, generator)
    latents = training.quantiser.encode(pictures).latents.float()
    training.restart(latents, generator)
    with torch.autocast(latents.device.type, enabled=False):
        codes, loss, _ = training.quantiser.quantize(latents)
    found = training.quantiser.decoder(training.quantiser.post_quant_conv(codes))
    difference = 2 * (found.float() - pictures)
    weight = 1 + (THING_WEIGHT - 1) * things.float()
    error = weight * (difference.abs() + SQUARE_WEIGHT * difference**2)
    return {"error": error.mean(), "codes": loss}


def to_unit(pictures: torch.Tensor) -> torch.Tensor:
    """Pictures in [-1, 1] brought to [0, 1]."""
    return (pictures + 1) / 2


@torch.inference_mode()
def codes_of(quantiser: VQModel, pictures: torch.Tensor) -> torch.Tensor:
    """The codes (n, h, w) of pictures (n, 3, 4 h, 4 w), int64."""
    latents = quantiser.encode(to_unit(pictures)).latents.float()
    with torch.autocast(latents.device.type, enabled=False):
        chosen = quantiser.quantize(latents)[2][2]
    codes: torch.Tensor = chosen.view(len(latents), *latents.shape[2:])
    return codes


@torch.inference_mode()
def pictures_of(quantiser: VQModel, codes: torch.Tensor) -> torch.Tensor:
    """The pictures (n, 3, 4 h, 4 w) of codes (n, h, w), clamped to [-1, 1]."""
    shape = (*codes.shape, quantiser.config.vq_embed_dim)
    found: torch.Tensor = quantiser.decode(codes, force_not_quantize=True, shape=shape).sample
    return found.clamp(0, 1) * 2 - 1


def encode_all(
    quantiser: VQModel, collection: Collection, *, bfloat16: bool = False
) -> torch.Tensor:
    """Codes (n, 16, 16) of a whole collection, int16."""
    parts = []
    for start in range(0, len(collection), AT_ONCE):
        pictures = to_input(collection.pixels[start : start + AT_ONCE])
        with torch.autocast(pictures.device.type, torch.bfloat16, enabled=bfloat16):
            parts.append(codes_of(quantiser, pictures).short())
    return torch.cat(parts)


def reconstruct(quantiser: VQModel, collection: Collection) -> torch.Tensor:
    """The pictures (n, 3, 64, 64) of a collection after the round trip."""
    parts = []
    for start in range(0, len(collection), AT_ONCE):
        pictures = to_input(collection.pixels[start : start + AT_ONCE])
        parts.append(pictures_of(quantiser, codes_of(quantiser, pictures)))
    return torch.cat(parts)


def round_trip(quantiser: VQModel, collection: Collection) -> dict[str, float]:
    """PSNR in dB of pictures and of things alone, and how much of the codebook is used.

    PSNR is of values in [0, 1], the mean squared error taken over the whole collection.
    `codes_used` counts codes that occur; `perplexity` is how many equally frequent ones would be
    as hard to foretell.
    """
    everything, on_things, pixels = 0.0, 0.0, 0
    counts = torch.zeros(quantiser.config.num_vq_embeddings)
    for start in range(0, len(collection), AT_ONCE):
        pictures = to_input(collection.pixels[start : start + AT_ONCE])
        codes = codes_of(quantiser, pictures)
        counts += torch.bincount(codes.flatten(), minlength=len(counts))
        error = ((pictures_of(quantiser, codes) - pictures) / 2).square().mean(1)
        things = torch.from_numpy(collection.regions[start : start + AT_ONCE] > 0)
        everything += error.sum().item()
        on_things += error[things].sum().item()
        pixels += int(things.sum())
    share = counts[counts > 0] / counts.sum()
    return {
        "psnr": -10 * math.log10(everything / (len(collection) * PICTURE_SIZE**2)),
        "psnr_things": -10 * math.log10(on_things / pixels),
        "codes_used": int((counts > 0).sum()),
        "perplexity": math.exp(-(share * share.log()).sum().item()),
    }
