"""A text-conditional latent diffusion model (Rombach et al. 2022), as editors see it.

Pictures are float32 NCHW in [-1, 1], latents are scaled as the noise was trained on, and the
network is what the papers call epsilon_theta: `model.predict_noise(z_t, t, text)`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from editing.diffusion.noise import AlphaTable, Latents, Timesteps, alpha_at, noise_from_output
from editing.diffusion.settings import DTYPES
from editing.errors import EditingError
from editing.tensors import PictureBatch
from transforms.models.files import PIPELINE_INDEX, locate, require_variant
from transforms.models.folder import load_network, load_tokenizer
from transforms.models.spec import ModelError, ModelSpec, read_options

TextStates = Float[Tensor, "b length d"]

Channels = Float[Tensor, "b more h w"]
"""What some networks see beside a noisy latent of the same size."""


class PromptLengthError(EditingError, ValueError):
    """A prompt with more tokens than the text encoder takes."""


@dataclass(frozen=True)
class DiffusionOptions:
    """Torch device, the precision of the networks' weights, and which of the weights are read.

    The precision, `dtype`, is float32, float16 or bfloat16; `variant` is that of `weight_files`.
    """

    device: str = "cpu"
    dtype: str = "float32"
    variant: str = ""

    def __post_init__(self) -> None:
        require_variant(self.variant)
        if self.dtype not in DTYPES:
            raise ValueError(f"dtype must be one of {', '.join(DTYPES)}, got {self.dtype!r}")


@dataclass(frozen=True, eq=False)
class LatentDiffusion:
    """The parts of a diffusers `StableDiffusionPipeline`, put to the uses of editing."""

    vae: Any
    unet: Any
    text_encoder: Any
    tokenizer: Any
    scheduler: Any

    @property
    def device(self) -> torch.device:
        """Where the noise network lies."""
        device: torch.device = next(self.unet.parameters()).device
        return device

    @property
    def dtype(self) -> torch.dtype:
        """The precision that the autoencoder decodes in."""
        dtype: torch.dtype = self.vae.dtype
        return dtype

    @property
    def factor(self) -> int:
        """Pixels of a picture to one of a latent, along each side."""
        factor: int = 2 ** (len(self.vae.config.block_out_channels) - 1)
        return factor

    @property
    def size_multiple(self) -> int:
        """Sides of pictures must be multiples of this: the halvings of both networks."""
        multiple: int = self.factor * 2 ** (len(self.unet.config.block_out_channels) - 1)
        return multiple

    @property
    def picture_size(self) -> int:
        """Side of the pictures that the model was trained on, in pixels."""
        return int(self.unet.config.sample_size) * self.factor

    @property
    def train_steps(self) -> int:
        """T, the number of noise levels."""
        return int(self.scheduler.config.num_train_timesteps)

    @property
    def alphas_cumprod(self) -> AlphaTable:
        """alpha_t of every noise level."""
        alphas: Tensor = self.scheduler.alphas_cumprod
        return alphas

    def encode(self, pictures: PictureBatch) -> Latents:
        """Mean latents of pictures whose sides are multiples of `factor`.

        The mean, not a draw from the posterior: the same picture has one latent, and outside a
        mask an edit can equal the source to the round trip of the autoencoder.
        """
        posterior = self.vae.encode(pictures.to(self.device, self.vae.dtype)).latent_dist
        latents: Tensor = posterior.mode().float() * self.vae.config.scaling_factor
        return latents

    def decode(self, latents: Latents) -> PictureBatch:
        """Pictures of latents, not clamped to [-1, 1]; gradients pass."""
        scaled = latents / self.vae.config.scaling_factor
        pictures: Tensor = self.vae.decode(scaled.to(self.vae.dtype)).sample
        return pictures.float()

    def count_tokens(self, prompt: str) -> int:
        """How many tokens a prompt has, start and end included."""
        return len(self.tokenizer(prompt, truncation=False, verbose=False).input_ids)

    def check_prompt(self, prompt: str) -> None:
        """Make sure that nothing of `prompt` would be cut off.

        Raises:
            PromptLengthError: it has more tokens than the text encoder takes.
        """
        found, most = self.count_tokens(prompt), self.tokenizer.model_max_length
        if found > most:
            raise PromptLengthError(
                f"a prompt must have at most {most} tokens, got {found}: {prompt[:60]!r}"
            )

    def embed_texts(self, prompts: Sequence[str]) -> TextStates:
        """tau_theta(y): the text encoder's last hidden states, padded to its whole length.

        Raises:
            PromptLengthError: one has more tokens than the text encoder takes.
        """
        for prompt in prompts:
            self.check_prompt(prompt)
        words = self.tokenizer(
            list(prompts),
            padding="max_length",
            max_length=self.tokenizer.model_max_length,
            truncation=True,
            return_tensors="pt",
        )
        states: Tensor = self.text_encoder(words.input_ids.to(self.device)).last_hidden_state
        return states

    def predict_noise(
        self,
        z_t: Latents,
        timesteps: Timesteps,
        text: TextStates,
        *,
        beside: Channels | None = None,
    ) -> Latents:
        """epsilon_theta(z_t, t, tau(y)), in float32, whatever the network was trained to give.

        `beside` are the channels that a network sees beside the noisy latent, as those for
        inpainting do.
        """
        seen = z_t if beside is None else torch.cat([z_t, beside.to(z_t.dtype)], dim=1)
        output = self.unet(
            seen.to(self.unet.dtype), timesteps, encoder_hidden_states=text.to(self.unet.dtype)
        ).sample
        return noise_from_output(
            output,
            z_t,
            alpha_at(self.alphas_cumprod, timesteps),
            prediction_type=self.scheduler.config.prediction_type,
        )

    def networks(self) -> dict[str, nn.Module]:
        """The networks by their names in a pipeline folder."""
        return {"vae": self.vae, "unet": self.unet, "text_encoder": self.text_encoder}

    def save(self, folder: Path) -> None:
        """Writes a pipeline folder that `DiffusionPipeline.from_pretrained` loads."""
        from diffusers import StableDiffusionPipeline

        save_pipeline(self, StableDiffusionPipeline, folder)


def save_pipeline(model: LatentDiffusion, kind: Any, folder: Path) -> None:
    """Writes the model's parts as a pipeline of diffusers' class `kind`."""
    # How texts were last padded would be written down with the words.
    backend = getattr(model.tokenizer, "backend_tokenizer", None)
    if backend is not None:
        backend.no_padding()
        backend.no_truncation()
    pipeline = kind(
        vae=model.vae,
        unet=model.unet,
        text_encoder=model.text_encoder,
        tokenizer=model.tokenizer,
        scheduler=model.scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.save_pretrained(folder, safe_serialization=True)


def load_diffusion(spec: ModelSpec) -> LatentDiffusion:
    """The diffusion model that a spec names, in evaluation mode and without gradients.

    The scheduler becomes DDIM (Song et al. 2021) with clipping off and one step of offset, over the
    noise levels the model was trained with: a step then undoes itself exactly for equal noise. What
    else the folder holds, such as a safety checker, is left alone.

    Raises:
        ModelError: it cannot be loaded; the message says why.
    """
    options = read_options(DiffusionOptions, spec)
    folder = require_pipeline(locate(spec))
    return load_folder(folder, device=options.device, dtype=options.dtype, variant=options.variant)


def require_pipeline(folder: Path) -> Path:
    """The folder, where it is that of a diffusers pipeline.

    Raises:
        ModelError: it is not.
    """
    if not (folder / PIPELINE_INDEX).is_file():
        raise ModelError(f"{folder}: {PIPELINE_INDEX} is missing; expected a diffusers pipeline")
    return folder


def load_folder(
    folder: Path,
    *,
    device: str,
    dtype: str,
    variant: str = "",
    unet: Any = None,
    base: Path | None = None,
) -> LatentDiffusion:
    """The diffusion model of a pipeline's folder, as `load_diffusion` gives it.

    `unet` is its noise network, where that has been loaded already. What the folder has not comes
    from `base`, the folder of another pipeline; `variant` is of the folder's own weights.

    Raises:
        ModelError: it cannot be loaded; the message says why.
    """
    from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
    from transformers import CLIPTextModel

    def place(part: str) -> Path:
        found = folder / part
        return found if base is None or found.exists() else base / part

    def network(kind: Any, part: str) -> Any:
        found = place(part)
        own = variant if found.parent == folder else ""
        return load_network(kind, found, device=device, dtype=dtype, variant=own)

    vae = network(AutoencoderKL, "vae")
    unet = network(UNet2DConditionModel, "unet") if unet is None else unet
    text_encoder = network(CLIPTextModel, "text_encoder")
    try:
        scheduler = DDIMScheduler.from_pretrained(
            place("scheduler"), clip_sample=False, set_alpha_to_one=False, steps_offset=1
        )
    except (OSError, ValueError) as error:
        raise ModelError(f"{place('scheduler')}: not a scheduler's configuration") from error
    return LatentDiffusion(
        vae=vae,
        unet=unet,
        text_encoder=text_encoder,
        tokenizer=load_tokenizer(place("tokenizer")),
        scheduler=scheduler,
    )
