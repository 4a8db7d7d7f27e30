"""What the region finder `learned` is. Imports no network library."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from editing.regions.finder import RegionSpec
from editing.settings import setting
from editing.trained_part import TrainedPart

if TYPE_CHECKING:
    from editing.parts import Parts
    from editing.regions.learned import LearnedRegions

REGION_NET = TrainedPart(part="region_net", loader="region_net", inside="region_net")
"""What `--model` replaces where boxes are chosen by a network that sees the text."""


@dataclass(frozen=True, kw_only=True)
class LearnedSettings:
    """The settings of the region finder `learned`.

    Around each of `box_anchors` points (K) lie boxes of `box_sizes` sizes (M); one of all is
    chosen.
    """

    box_anchors: int = setting("K, points that boxes are laid around", default=5, metavar="K")
    box_sizes: int = setting("M, boxes around each point", default=7, metavar="M")

    def __post_init__(self) -> None:
        for name in ("box_anchors", "box_sizes"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")


def _load(parts: "Parts", settings: LearnedSettings) -> "LearnedRegions":
    from editing.regions.learned import LearnedRegions

    return LearnedRegions(
        backbone=parts.load("backbone"),
        clip=parts.load("clip_space"),
        net=parts.load("region_net"),
        anchors=settings.box_anchors,
        sizes=settings.box_sizes,
    )


LEARNED: RegionSpec[LearnedSettings] = RegionSpec(
    name="learned",
    summary="the box that suits the edit best, chosen by a network that was trained for it",
    settings=LearnedSettings,
    parts=("backbone", "clip_space", "region_net"),
    load=_load,
)
