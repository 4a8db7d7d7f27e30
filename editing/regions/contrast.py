"""Regions by the diffusion model itself: where prompt and source text see different noise.

DiffEdit's first step (Couairon et al. 2023; section 5.3 of Couairon's thesis). No segmenter is
asked, and no words name the thing.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from editing.diffusion.contrast import (
    blur_maps,
    combine,
    lie_apart,
    measure_differences,
    otsu_threshold,
    scale_maps,
)
from editing.diffusion.model import LatentDiffusion
from editing.errors import NotFiniteError
from editing.pictures import picture_to_tensor, places_by_size, resize, working_sides
from editing.regions.contrast_settings import ContrastSettings, ContrastWays, read_threshold
from editing.regions.finder import FoundRegion
from editing.regions.segmented import grow_region
from editing.requests import OnStep, Request


@dataclass(frozen=True, eq=False)
class ContrastRegions:
    """Finds where an edit has something to do, by the model that is going to make it."""

    model: LatentDiffusion
    settings: ContrastSettings

    def find(
        self, requests: Sequence[Request], generators: Sequence[torch.Generator]
    ) -> list[Image.Image]:
        """The mask of each request; its noise is drawn from its generator.

        Raises:
            PromptLengthError: a prompt has more tokens than the text encoder takes.
            NotFiniteError: the model gave no numbers for those at its `places`.
        """
        return [found.mask for found in self.find_regions(requests, generators)]

    def find_regions(
        self,
        requests: Sequence[Request],
        generators: Sequence[torch.Generator],
        on_step: OnStep = lambda: None,
    ) -> list[FoundRegion]:
        """The mask of each request with its difference map; a step is a noise.

        Raises:
            as `find` does.
        """
        ways = self.settings.chosen()
        inside = dataclasses.replace(ways, grow=0.0)
        maps = self.maps(requests, generators, on_step)
        return [
            FoundRegion(
                cut_map(found.values, request.image.size, inside if found.apart else ways),
                found.values.numpy(),
            )
            for found, request in zip(maps, requests, strict=True)
        ]

    def maps(
        self,
        requests: Sequence[Request],
        generators: Sequence[torch.Generator],
        on_step: OnStep = lambda: None,
    ) -> list["DifferenceMap"]:
        """The difference map of each request, on the CPU: what `cut_map` cuts.

        Raises:
            as `find` does.
        """
        model = self.model
        sizes = [
            working_sides(each.image.size, shorter=model.picture_size, multiple=model.size_multiple)
            for each in requests
        ]
        found: dict[int, DifferenceMap] = {}
        for size, places in places_by_size(sizes).items():
            try:
                maps = self._differences(
                    [requests[place] for place in places],
                    [generators[place] for place in places],
                    size,
                    on_step,
                )
            except NotFiniteError as error:
                raise NotFiniteError(str(error), [places[row] for row in error.places]) from error
            found |= dict(zip(places, maps, strict=True))
        return [found[place] for place in range(len(requests))]

    @torch.no_grad()
    def _differences(
        self,
        requests: Sequence[Request],
        generators: Sequence[torch.Generator],
        size: tuple[int, int],
        on_step: OnStep,
    ) -> list["DifferenceMap"]:
        model, ways = self.model, self.settings.chosen()
        pictures = torch.stack([picture_to_tensor(resize(each.image, size)) for each in requests])
        differences = measure_differences(
            model,
            model.encode(pictures),
            prompts=[each.prompt for each in requests],
            references=[self._reference(each) for each in requests],
            levels=ways.levels,
            generators=generators,
            on_step=on_step,
        )
        maps = blur_maps(combine(differences, both=ways.both), ways.blur)
        scaled = scale_maps(maps, clamp=ways.clamp or None)
        apart = lie_apart(differences) if ways.both else torch.zeros(len(maps), dtype=torch.bool)
        return [
            DifferenceMap(values, is_apart)
            for values, is_apart in zip(scaled.cpu(), apart.tolist(), strict=True)
        ]

    def _reference(self, request: Request) -> str:
        said = self.settings.contrast_reference == "source"
        return (request.source_prompt or "") if said else ""


@dataclass(frozen=True, eq=False)
class DifferenceMap:
    """A difference map in [0, 1], and whether it is of what the reference is about least.

    What is edited then lies around things, a background: its mask is not grown, for that would
    reach into them.
    """

    values: Float[Tensor, "h w"]
    apart: bool


def cut_map(scaled: Float[Tensor, "h w"], size: tuple[int, int], ways: ContrastWays) -> Image.Image:
    """The mask (L, 0 or 255) of `size` (width, height) of what lies above the threshold of a map.

    An even map, in which nothing stands out, gives an empty mask.
    """
    width, height = size
    large = scaled[None, None]
    if ways.smooth:
        large = F.interpolate(large, size=(height, width), mode="bilinear").clamp(0, 1)
    threshold = read_threshold(ways.threshold)
    if threshold is None:
        threshold = otsu_threshold(large.flatten())
    marked = (large > threshold).float()
    if not ways.smooth:
        marked = F.interpolate(marked, size=(height, width), mode="nearest")
    mask = Image.fromarray((marked[0, 0].numpy() * 255).astype(np.uint8))
    return grow_region(mask, ways.grow)
