"""The diffusion model's autoencoder: AutoencoderKL, 64 x 64 x 3 pixels to 16 x 16 x 4 numbers."""

import math

import torch
from diffusers import AutoencoderKL

from stilllife.recipes.augment import augment
from stilllife.recipes.collection import Collection, to_input
from stilllife.recipes.training import Losses
from stilllife.scene import PICTURE_SIZE

LATENT_CHANNELS = 4
FACTOR = 4
"""Pixels to a latent along each side."""

CROP = 32
"""Side in pixels of the crops that most of training looks at."""

CROPPED_SHARE = 0.75
"""Share of the steps that look at crops around things; the others look at whole pictures, whose
normalisation statistics are the ones that count in the end."""

THING_WEIGHT = 4.0
"""What an error on a thing counts, against 1 on the background, which is easy and large."""

KL_WEIGHT = 1e-5

AT_ONCE = 16
"""Pictures that are encoded together outside of training: of more, features leave the cache."""


def build_autoencoder() -> AutoencoderKL:
    """An untrained autoencoder, purely convolutional so that crops can stand for pictures."""
    return AutoencoderKL(
        in_channels=3,
        out_channels=3,
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        block_out_channels=(32, 64, 96),
        layers_per_block=1,
        latent_channels=LATENT_CHANNELS,
        norm_num_groups=8,
        sample_size=PICTURE_SIZE,
        mid_block_add_attention=False,
    )


def autoencoder_loss(
    autoencoder: AutoencoderKL,
    collection: Collection,
    batch_size: int,
    generator: torch.Generator,
) -> Losses:
    """The losses on a random batch: `error`, squared and weighted, and `kl`.

    A batch is of whole pictures or of crops; of these it has four times as many, which take as
    long.
    """
    cropped = torch.rand((), generator=generator).item() < CROPPED_SHARE
    if cropped:
        batch_size *= (PICTURE_SIZE // CROP) ** 2
    rows = torch.randint(len(collection), (batch_size,), generator=generator)
    pictures = augment(to_input(collection.pixels[rows.numpy()]), generator)
    things = torch.from_numpy(collection.regions[rows.numpy()] > 0).unsqueeze(1)
    if cropped:
        pictures, things = crop_things(pictures, things, generator)
    posterior = autoencoder.encode(pictures).latent_dist
    noise = torch.randn(posterior.mean.shape, generator=generator)
    found = autoencoder.decode(posterior.mean + posterior.std * noise).sample
    weight = 1 + (THING_WEIGHT - 1) * things.float()
    error = (weight * (found.float() - pictures) ** 2).mean()
    kl = posterior.kl().float().mean() / posterior.mean[0].numel()
    return {"error": error, "kl": KL_WEIGHT * kl}


def crop_things(
    pictures: torch.Tensor, things: torch.Tensor, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Of each picture (n, 3, 64, 64) and mask (n, 1, 64, 64) a square around a point on a thing."""
    chance = things.flatten(1).float() + 1e-6  # a picture without things is cut anywhere
    point = torch.multinomial(chance, 1, generator=generator)[:, 0]
    corners = []
    for place in (point // PICTURE_SIZE, point % PICTURE_SIZE):
        moved = torch.randint(-CROP // 4, CROP // 4 + 1, place.shape, generator=generator)
        corners.append((place + moved - CROP // 2).clamp(0, PICTURE_SIZE - CROP))
    span = torch.arange(CROP)
    rows = (corners[0][:, None] + span)[:, None, :, None]
    columns = (corners[1][:, None] + span)[:, None, None, :]
    which = torch.arange(len(pictures))[:, None, None, None]
    channels = torch.arange(pictures.shape[1])[None, :, None, None]
    return pictures[which, channels, rows, columns], things[which, 0, rows, columns]


@torch.inference_mode()
def encode_all(autoencoder: AutoencoderKL, collection: Collection) -> torch.Tensor:
    """Mean latents (n, 4, 16, 16) of a whole collection, unscaled, float16."""
    parts = []
    for start in range(0, len(collection), AT_ONCE):
        pictures = to_input(collection.pixels[start : start + AT_ONCE])
        parts.append(autoencoder.encode(pictures).latent_dist.mode().half())
    return torch.cat(parts)


@torch.inference_mode()
def reconstruction(autoencoder: AutoencoderKL, collection: Collection) -> dict[str, float]:
    """PSNR in dB of the round trip, over all pixels and over those of things.

    Of values in [0, 1]; the mean squared error is taken over the whole collection.
    """
    everything, on_things, pixels = 0.0, 0.0, 0
    for start in range(0, len(collection), AT_ONCE):
        pictures = to_input(collection.pixels[start : start + AT_ONCE])
        latents = autoencoder.encode(pictures).latent_dist.mode()
        found = autoencoder.decode(latents).sample.clamp(-1, 1)
        error = ((found - pictures) / 2).square().mean(1)
        things = torch.from_numpy(collection.regions[start : start + AT_ONCE] > 0)
        everything += error.sum().item()
        on_things += error[things].sum().item()
        pixels += int(things.sum())
    total = len(collection) * PICTURE_SIZE**2
    return {
        "psnr": -10 * math.log10(everything / total),
        "psnr_things": -10 * math.log10(on_things / pixels),
    }


def set_scale(autoencoder: AutoencoderKL, collection: Collection) -> None:
    """Makes `scaling_factor` what brings mean latents to a standard deviation of 1."""
    latents = encode_all(autoencoder, collection)
    autoencoder.register_to_config(scaling_factor=round(1 / latents.float().std().item(), 5))
