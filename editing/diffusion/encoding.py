"""A batch of sources at all noise levels of an edit: inverted, as DiffEdit does, or noised."""

from collections.abc import Callable, Sequence

from editing.diffusion.inversion import invert
from editing.diffusion.model import LatentDiffusion
from editing.diffusion.noise import draw_noise
from editing.diffusion.picture_edits import LatentBatch
from editing.diffusion.sampling import Known, guided_denoiser, noised_source


def known_by_inversion(
    model: LatentDiffusion,
    batch: LatentBatch,
    levels: Sequence[int],
    *,
    fixed_point_steps: int = 0,
    on_step: Callable[[], None] = lambda: None,
) -> Known:
    """The sources' latents at the falling `levels`, each inverted without words.

    `fixed_point_steps` make each step more exact (see `editing.diffusion.inversion.invert`).

    Raises:
        NotFiniteError: a step came to infinite numbers, or none, in all of the batch.
    """
    empty_text = model.embed_texts([""] * len(batch.prompts))
    return invert(
        guided_denoiser(model, text=empty_text, empty_text=empty_text, guidance_scale=1),
        batch.source_latent,
        levels,
        model.alphas_cumprod,
        fixed_point_steps=fixed_point_steps,
        on_step=on_step,
    )


def known_by_noise(model: LatentDiffusion, batch: LatentBatch) -> Known:
    """The sources' latents at any level, each with one noise of its own generator."""
    noise = draw_noise(batch.source_latent, batch.generators)
    return noised_source(batch.source_latent, noise, model.alphas_cumprod)
