"""The statistics of an edit that need no truth: how it goes with its prompt, and what it kept."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from PIL import Image

from editing.evaluation.cases import EditCase
from editing.evaluation.metrics import Metric, Numbers
from editing.evaluation.similarity import background_error, clip_scores, region_ssim
from editing.pictures import mask_to_tensor, picture_to_tensor, places_in_batches
from editing.tensors import PerExample, PictureBatch
from transforms.protocols import Encoder

CLIP_METRICS = (
    Metric(name="cosine", label="cosine of picture and prompt"),
    Metric(name="clip_score", label="CLIPScore (100 cos)"),
    Metric(name="clip_score_hessel", label="CLIPScore (2.5 cos)"),
)
LPIPS = Metric(name="lpips", label="LPIPS from the source", less_is_better=True)
BACKGROUND_ERROR = Metric(
    name="background_error", label="error outside the mask", less_is_better=True
)
KEPT_METRICS = (
    BACKGROUND_ERROR,
    Metric(name="ssim_inside_mean", label="SSIM inside"),
    Metric(name="ssim_outside_mean", label="SSIM outside"),
    Metric(name="ssim_inside_zero_filled", label="SSIM inside, zero-filled"),
    Metric(name="ssim_outside_zero_filled", label="SSIM outside, zero-filled"),
)


@dataclass(frozen=True, eq=False)
class PromptAgreement:
    """How well a picture goes with its prompt, by CLIP."""

    encoder: Encoder
    metrics: tuple[Metric, ...] = CLIP_METRICS

    def __call__(
        self, cases: Sequence[EditCase], images: Sequence[Image.Image]
    ) -> dict[str, Numbers]:
        """The cosine, and CLIPScore in both scalings in use."""
        texts = self.encoder.encode_texts([case.edit_prompt for case in cases])
        cosines = (self.encoder.encode_images(images) * texts).sum(1).astype(np.float64)
        return {"cosine": cosines, **clip_scores(cosines)}


@dataclass(frozen=True, eq=False)
class Kept:
    """What an edit keeps of its source, inside and outside of the case's mask.

    Pictures of a set may differ in size; those of one size are measured together.
    """

    metrics: tuple[Metric, ...] = KEPT_METRICS

    def __call__(
        self, cases: Sequence[EditCase], images: Sequence[Image.Image]
    ) -> dict[str, Numbers]:
        """Error outside, and SSIM inside and outside in both readings."""
        found = {metric.name: np.full(len(cases), np.nan) for metric in self.metrics}
        for places in places_in_batches([case.source.size for case in cases]):
            source, edited = _tensors(cases, images, places)
            masks = [mask_to_tensor(cases[place].edit_mask) for place in places]
            inside = torch.stack(masks)
            found["background_error"][places] = background_error(edited, source, inside).numpy()
            for side, region in (("inside", inside), ("outside", 1 - inside)):
                for name, values in region_ssim(edited, source, region).items():
                    found[f"ssim_{side}_{name}"][places] = values.numpy()
        return found


@dataclass(frozen=True, eq=False)
class SourceDistance:
    """LPIPS of each edited picture from its source, by a `PerceptualDistance`."""

    distance: Callable[[PictureBatch, PictureBatch], PerExample]
    metrics: tuple[Metric, ...] = field(default=(LPIPS,))

    def __call__(
        self, cases: Sequence[EditCase], images: Sequence[Image.Image]
    ) -> dict[str, Numbers]:
        """The distance, 0 where nothing changed.

        Raises:
            EditingError: a picture is too small for the network.
        """
        found = np.full(len(cases), np.nan)
        for places in places_in_batches([case.source.size for case in cases]):
            source, edited = _tensors(cases, images, places)
            found[places] = self.distance(edited, source).numpy()
        return {LPIPS.name: found}


def _tensors(
    cases: Sequence[EditCase], images: Sequence[Image.Image], places: Sequence[int]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Sources and edited pictures at `places`, which are of one size."""
    source = torch.stack([picture_to_tensor(cases[place].source) for place in places])
    edited = torch.stack([picture_to_tensor(images[place]) for place in places])
    return source, edited
