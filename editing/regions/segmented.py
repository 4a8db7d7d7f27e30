"""Regions by a segmenter: what the changed words name in the source."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from editing.regions.finder import FoundRegion
from editing.requests import OnStep, Request
from transforms.pictures.masks import mark_region
from transforms.protocols import Segmenter

Grey = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class SegmentedRegions:
    """iEdit, section 3.4: the relevance of CLIPSeg for the changed words, cut at one half.

    `grow` is as `grow_region` has it; the paper does not grow masks.
    """

    segmenter: Segmenter
    grow: float = 0.0

    def find(
        self, requests: Sequence[Request], generators: Sequence[torch.Generator]
    ) -> list[Image.Image]:
        """What each request's phrase names in its picture; nothing in it is random.

        Raises:
            EditError: a request does not say what may change.
        """
        return [found.mask for found in self.find_regions(requests, generators)]

    def find_regions(
        self,
        requests: Sequence[Request],
        generators: Sequence[torch.Generator],
        on_step: OnStep = lambda: None,
    ) -> list[FoundRegion]:
        """The same with the segmenter's relevance; it is one step, of which nothing is told.

        Raises:
            EditError: a request does not say what may change.
        """
        images = [request.image for request in requests]
        relevance = self.segmenter.relevance(images, [request.phrase() for request in requests])
        return [
            FoundRegion(
                grow_region(Image.fromarray(mark_region(each, image.size)), self.grow), each
            )
            for each, image in zip(relevance, images, strict=True)
        ]


def grow_region(mask: Image.Image, share: float) -> Image.Image:
    """`mask` (L) with all that is near what is bright: within `share` of the shorter side.

    Near is meant along each axis, so that a point becomes a square. What takes a thing's place
    seldom has its outline: a mask as sharp as the thing leaves no room for anything else.
    """
    reach = round(share * min(mask.size))
    if reach == 0:
        return mask
    return Image.fromarray(_spread(_spread(np.asarray(mask), reach).T, reach).T.copy())


def _spread(values: Grey, reach: int) -> Grey:
    """The largest of each value and those up to `reach` rows away.

    A window is doubled until it is wide enough, so that a wide one costs little more than a narrow.
    """
    wanted, width = 2 * reach + 1, 1
    found = np.pad(values, ((reach, reach), (0, 0)))
    while width * 2 <= wanted:
        found = np.maximum(found[:-width], found[width:])
        width *= 2
    rest = wanted - width
    return np.maximum(found[: len(found) - rest], found[rest:])
