"""Where two texts see different noise in a picture: the first step of DiffEdit (thesis, 5.3).

Difference maps are made by passes of the network; what is cut of them, at which threshold, costs
none.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from editing.diffusion.model import LatentDiffusion
from editing.diffusion.noise import Latents, add_noise, draw_noise
from editing.diffusion.sampling import level_alpha
from editing.finite import require_finite_rows

Maps = Float[Tensor, "b h w"]
"""A number for every place of every picture."""

OTSU_BINS = 256

LEAST_CORRELATION = 0.15
"""Of both differences, below which an edit is of what the reference says nothing particular about.

On still lifes edits of things had 0.19 to 0.96, edits of backgrounds -0.67 to 0.13.
"""


@dataclass(frozen=True, eq=False)
class Differences:
    """How far the noise estimates under texts lie apart, in each place of a latent.

    `asked` is between the prompt and the reference, `known` between the reference and the empty
    text: where the reference is about something.
    """

    asked: Maps
    known: Maps


@torch.no_grad()
def measure_differences(
    model: LatentDiffusion,
    source_latent: Latents,
    *,
    prompts: Sequence[str],
    references: Sequence[str],
    levels: Sequence[float],
    generators: Sequence[torch.Generator],
    on_step: Callable[[], None] = lambda: None,
) -> Differences:
    """The differences at noise `levels`, shares of all in (0, 1): one independent noise each.

    A difference is the mean over the latent's channels, and over the noises, of its absolute value.
    `on_step` is called after each noise.

    Raises:
        PromptLengthError: a text has more tokens than the text encoder takes.
        NotFiniteError: the model gave no numbers for those at its `places`.
    """
    empty = [""] * len(prompts)
    texts = torch.cat([model.embed_texts(list(some)) for some in (prompts, references, empty)])
    asked, known = torch.zeros_like(source_latent[:, 0]), torch.zeros_like(source_latent[:, 0])
    for level in levels:
        t = min(model.train_steps - 1, round(level * model.train_steps))
        alpha = level_alpha(model.alphas_cumprod, t, source_latent)
        z_t = add_noise(source_latent, draw_noise(source_latent, generators), alpha)
        steps = torch.full((3 * len(z_t),), t, device=z_t.device, dtype=torch.long)
        seen = model.predict_noise(z_t.repeat(3, 1, 1, 1), steps, texts)
        prompt, reference, nothing = seen.chunk(3)
        asked = asked + (prompt - reference).abs().mean(1) / len(levels)
        known = known + (reference - nothing).abs().mean(1) / len(levels)
        on_step()
    require_finite_rows(asked + known, where="in the difference of noise estimates")
    return Differences(asked, known)


def combine(differences: Differences, *, both: bool) -> Maps:
    """The map that is cut: `asked` as in DiffEdit or, with `both`, its geometric mean with `known`.

    Ours: what the prompt changes is looked for where the reference is about something, since a word
    like "large" is felt far beyond the thing that it is said of. Where they `lie_apart` it is
    looked for where the reference is about nothing: `known` is turned round, its greatest value
    less each. Where `known` is the same everywhere, as for an empty reference, `asked` is left
    alone.
    """
    asked, known = differences.asked, differences.known
    if not both:
        return asked
    apart, even = (each[:, None, None] for each in (lie_apart(differences), _same_all_over(known)))
    turned = known.amax((1, 2), keepdim=True) - known
    means = (asked * torch.where(apart, turned, known)).sqrt()
    return torch.where(even, asked, means)


def lie_apart(differences: Differences) -> Bool[Tensor, " b"]:
    """Whether a prompt changes what its reference is about least, as when a background is edited.

    That is where both differences correlate, by Pearson, by less than `LEAST_CORRELATION`; a
    reference that is about nothing anywhere has no such place.
    """
    maps = (differences.asked, differences.known)
    one, other = (each - each.mean((1, 2), keepdim=True) for each in maps)
    correlation = F.cosine_similarity(one.flatten(1), other.flatten(1))
    return ~_same_all_over(differences.known) & (correlation < LEAST_CORRELATION)


def _same_all_over(maps: Maps) -> Bool[Tensor, " b"]:
    return maps.amin((1, 2)) == maps.amax((1, 2))


def blur_maps(maps: Maps, reach: int) -> Maps:
    """The mean of each place and those up to `reach` places away along either axis.

    Beyond the border nothing counts.
    """
    if reach == 0:
        return maps
    width = 2 * reach + 1
    pooled: Tensor = F.avg_pool2d(
        maps.unsqueeze(1), width, stride=1, padding=reach, count_include_pad=False
    )
    return pooled.squeeze(1)


def scale_maps(maps: Maps, *, clamp: float | None) -> Maps:
    """Maps brought to [0, 1], each by its own least and greatest value.

    `clamp` bounds a map by so many times its mean first, so that a few places do not outshine all
    others; None leaves it. A map that is the same everywhere becomes 0: nothing stands out.
    """
    flat = maps.flatten(1)
    if clamp is not None:
        flat = torch.minimum(flat, clamp * flat.mean(1, keepdim=True))
    least, most = flat.amin(1, keepdim=True), flat.amax(1, keepdim=True)
    apart = most - least
    scaled = torch.where(apart > 0, (flat - least) / apart.clamp_min(1e-12), torch.zeros_like(flat))
    return scaled.view_as(maps)


def otsu_threshold(values: Float[Tensor, " n"]) -> float:
    """The cut of values in [0, 1] that parts them best (Otsu 1979): most variance between sides.

    Values above it are one side. Where several cuts part them equally well it is the middle of
    those.
    """
    edges = torch.linspace(0, 1, OTSU_BINS + 1, dtype=torch.float64)
    counts = torch.histc(values.double().cpu(), bins=OTSU_BINS, min=0, max=1)
    centres = (edges[:-1] + edges[1:]) / 2
    below = counts.cumsum(0)
    above = counts.sum() - below
    sums = (counts * centres).cumsum(0)
    means = sums / below.clamp_min(1), (sums[-1] - sums) / above.clamp_min(1)
    between = below * above * (means[0] - means[1]).square()
    best = (between >= between.max() * (1 - 1e-9)).nonzero()[:, 0].double()
    return edges[1 + round(best.mean().item())].item()
