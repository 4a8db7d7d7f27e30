"""How two pictures, or a picture and words, are compared: a number for each edit.

Pictures are float32 NCHW in [-1, 1], masks 1 inside. What needs torchmetrics imports it when it is
called: it brings in torchvision and takes two seconds, and most of what is here does without.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from editing.errors import EditingError
from editing.evaluation.metrics import Numbers
from editing.tensors import MaskBatch, PerExample, PictureBatch

LpipsNetwork = Literal["alex", "vgg", "squeeze"]

HESSEL_WEIGHT = 2.5
SSIM_WINDOW = 11
SSIM_LEAST_SIDE = SSIM_WINDOW // 2 + 1
"""The smallest side in pixels that can be mirrored by half a window."""

LPIPS_LEAST_SIDE = 64
"""The smallest side in pixels that all of the networks' poolings leave something of."""


def clip_scores(cosines: Numbers) -> dict[str, Numbers]:
    """CLIPScore of picture and prompt from their cosines, in both scalings in use.

    `clip_score` is 100 cos, as toolkits report it; `clip_score_hessel` is 2.5 max(cos, 0) (Hessel
    et al. 2021, equation 1).
    """
    return {
        "clip_score": 100 * cosines,
        "clip_score_hessel": HESSEL_WEIGHT * np.maximum(cosines, 0),
    }


def region_ssim(
    edited: PictureBatch, source: PictureBatch, region: MaskBatch
) -> dict[str, PerExample]:
    """SSIM (Wang et al. 2004) of edited picture and source over a region, in both readings.

    `mean` is the mean of the SSIM map over the region, `zero_filled` the SSIM of the two pictures
    with all else set to black. NaN where the region is empty, or a side smaller than half a window.
    """
    if min(edited.shape[-2:]) < SSIM_LEAST_SIDE:
        nothing = edited.new_full((len(edited),), torch.nan)
        return {"mean": nothing, "zero_filled": nothing}
    maps = _ssim_map(edited, source).mean(1, keepdim=True)
    area = region.flatten(1).sum(1)
    mean = (maps * region).flatten(1).sum(1) / area  # 0 / 0 is the NaN that is promised
    edited, source = ((picture + 1) / 2 * region for picture in (edited.clamp(-1, 1), source))
    zero_filled = _ssim()(edited, source, data_range=1.0, reduction="none", kernel_size=SSIM_WINDOW)
    assert isinstance(zero_filled, Tensor)
    return {"mean": mean, "zero_filled": torch.where(area > 0, zero_filled, torch.nan)}


def _ssim_map(edited: PictureBatch, source: PictureBatch) -> Tensor:
    edited, source = ((picture.clamp(-1, 1) + 1) / 2 for picture in (edited, source))
    _, maps = _ssim()(
        edited,
        source,
        data_range=1.0,
        reduction="none",
        kernel_size=SSIM_WINDOW,
        return_full_image=True,
    )
    assert isinstance(maps, Tensor)
    return maps


def _ssim() -> Callable[..., Any]:
    from torchmetrics.functional.image import structural_similarity_index_measure

    return structural_similarity_index_measure


def background_error(edited: PictureBatch, source: PictureBatch, changed: MaskBatch) -> PerExample:
    """Root mean squared difference outside `changed`, of values in [0, 1]; NaN if that is all."""
    kept = 1 - changed
    square = ((edited.clamp(-1, 1) - source) / 2).square().mean(1, keepdim=True)
    return ((square * kept).flatten(1).sum(1) / kept.flatten(1).sum(1)).sqrt()


class PerceptualDistance:
    """LPIPS (Zhang et al. 2018) of edited pictures from their sources, by one of its networks.

    The weights of the network are torchvision's, fetched when they are first needed.

    Raises:
        EditingError: they cannot be fetched.
    """

    def __init__(self, network: LpipsNetwork) -> None:
        from torchmetrics.image.lpip import LearnedPerceptualImagePatchSimilarity

        with fetching(f"{network}, for LPIPS"):
            self._network = LearnedPerceptualImagePatchSimilarity(net_type=network).net

    @torch.no_grad()
    def __call__(self, edited: PictureBatch, source: PictureBatch) -> PerExample:
        """The distance of each edited picture from its source, 0 for equal ones.

        Raises:
            EditingError: the pictures are too small for the network.
        """
        if min(edited.shape[-2:]) < LPIPS_LEAST_SIDE:
            raise EditingError(
                f"LPIPS needs pictures of at least {LPIPS_LEAST_SIDE} pixels a side, "
                f"got {edited.shape[-1]} x {edited.shape[-2]}"
            )
        distances: Tensor = self._network(edited.clamp(-1, 1), source)
        return distances.flatten()


@contextmanager
def fetching(what: str) -> Iterator[None]:
    """Tells what could not be fetched where a network inside of the block cannot be.

    Raises:
        EditingError: it cannot.
    """
    try:
        yield
    except OSError as error:
        raise EditingError(
            f"cannot fetch the weights of {what} ({type(error).__name__}): fetch them where there "
            "is a network and bring torch's hub cache here"
        ) from error
