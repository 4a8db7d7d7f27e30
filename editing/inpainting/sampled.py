"""What inpainters that paint in steps share: options, and a latent diffusion model's texts."""

from collections.abc import Sequence
from dataclasses import dataclass

from editing.diffusion.model import Channels, LatentDiffusion, TextStates
from editing.diffusion.noise import Latents
from editing.diffusion.sampling import Denoiser, guided_denoiser
from editing.diffusion.settings import DTYPES
from editing.inpainting.inpainter import InpaintSettings
from editing.tensors import PictureBatch
from transforms.models.files import require_variant


@dataclass(frozen=True)
class SampledOptions:
    """Torch device, precision and variant of the weights, and the settings that suit the networks.

    Those are the published models' own ways; small ones want less guidance and fewer steps. The
    variant is that of `weight_files`.
    """

    device: str = "cpu"
    dtype: str = "float32"
    variant: str = ""
    strength: float = 1.0
    guidance_scale: float = 7.5
    num_inference_steps: int = 50

    def __post_init__(self) -> None:
        require_variant(self.variant)
        if self.dtype not in DTYPES:
            raise ValueError(f"dtype must be one of {', '.join(DTYPES)}, got {self.dtype!r}")
        self.defaults()  # raises where they break a rule

    def defaults(self) -> InpaintSettings:
        """How to paint where nobody says otherwise."""
        return InpaintSettings(
            strength=self.strength,
            guidance_scale=self.guidance_scale,
            num_inference_steps=self.num_inference_steps,
        )


def embed_distinct(model: LatentDiffusion, prompts: Sequence[str]) -> TextStates:
    """The text states of prompts, each distinct one computed once.

    Raises:
        PromptLengthError: one has more tokens than the text encoder takes.
    """
    distinct = list(dict.fromkeys(prompts))
    places = {prompt: place for place, prompt in enumerate(distinct)}
    return model.embed_texts(distinct)[[places[prompt] for prompt in prompts]]


def encode_distinct(model: LatentDiffusion, pictures: PictureBatch) -> Latents:
    """The latents of pictures, of equal ones once: many regions of one picture are painted."""
    if bool((pictures[1:] == pictures[:1]).all()):
        return model.encode(pictures[:1]).expand(len(pictures), -1, -1, -1)
    return model.encode(pictures)


def text_denoiser(
    model: LatentDiffusion,
    prompts: Sequence[str],
    *,
    guidance_scale: float,
    beside: Channels | None = None,
) -> Denoiser:
    """The model's denoiser under prompts, against the empty text; see `guided_denoiser`.

    Raises:
        PromptLengthError: one has more tokens than the text encoder takes.
    """
    return guided_denoiser(
        model,
        text=embed_distinct(model, prompts),
        empty_text=embed_distinct(model, [""] * len(prompts)),
        guidance_scale=guidance_scale,
        beside=beside,
    )
