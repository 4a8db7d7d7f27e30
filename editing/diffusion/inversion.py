"""DDIM inversion: the noisy latents that denoise to a given picture (Song et al. 2021).

Section 5.3 of Couairon's thesis calls it encoding, E_r. The same levels and the same arithmetic
serve both ways, so that with a noise that never changes the way back ends where it began.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch

from editing.diffusion.noise import AlphaTable, Latents, ddim_step
from editing.diffusion.sampling import Denoiser, level_alpha
from editing.finite import require_some_finite


@dataclass(frozen=True, eq=False)
class Inversion:
    """A source's latents at every level that it was brought to; a `Known` of the sampling loop.

    `source` is z_0, `at` maps the level t to z_t.
    """

    source: Latents
    at: Mapping[int, Latents]

    def __call__(self, t: int | None) -> Latents:
        """z_t, or for None the source itself."""
        return self.source if t is None else self.at[t]


@torch.no_grad()
def invert(
    denoise: Denoiser,
    source_latent: Latents,
    levels: Sequence[int],
    alphas_cumprod: AlphaTable,
    *,
    fixed_point_steps: int = 0,
    on_step: Callable[[], None] = lambda: None,
) -> Inversion:
    """The source at the falling `levels`, from the lowest of them to the highest.

    A step back down to a level would use the noise seen at the level above, which is not known
    before the step up is made. So the noise is asked of the latent below, at the level ABOVE, and
    `fixed_point_steps` times again of what came out. The source counts as the latent at t = 0, as
    the sampling loop ends there.

    Raises:
        NotFiniteError: a step came to infinite numbers, or none, in all of the batch.
    """
    at: dict[int, Latents] = {}
    below, z = 0, source_latent
    for step, t in enumerate(reversed(levels), 1):
        alpha_below, alpha = (level_alpha(alphas_cumprod, level, z) for level in (below, t))
        asked = z
        for _ in range(1 + fixed_point_steps):
            asked = ddim_step(z, denoise(asked, t), alpha_below, alpha)
        require_some_finite(asked, where=f"at step {step} of {len(levels)} of the inversion")
        at[t] = z = asked
        below = t
        on_step()
    return Inversion(source_latent, at)
