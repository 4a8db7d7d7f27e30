"""What the region finder `segmenter` is. Imports no network library."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from editing.regions.finder import RegionSpec
from editing.settings import require_numbers, setting

if TYPE_CHECKING:
    from editing.parts import Parts
    from editing.regions.segmented import SegmentedRegions


@dataclass(frozen=True, kw_only=True)
class SegmenterSettings:
    """The settings of the region finder `segmenter`.

    `mask_grow` in [0, 1] is how far a mask reaches beyond what it is of, as a share of the
    picture's shorter side; see `editing.regions.segmented.grow_region`.
    """

    mask_grow: float = setting(
        "how far a mask that is found reaches beyond what it is of, of the shorter side; 0.05 "
        "leaves room for another outline",
        default=0.0,
        metavar="SHARE",
    )

    def __post_init__(self) -> None:
        if not 0 <= self.mask_grow <= 1:
            raise ValueError(f"mask_grow must be in [0, 1], got {self.mask_grow}")
        require_numbers(self)


def _load(parts: "Parts", settings: SegmenterSettings) -> "SegmentedRegions":
    from editing.regions.segmented import SegmentedRegions

    return SegmentedRegions(parts.segmenter, settings.mask_grow)


SEGMENTER: RegionSpec[SegmenterSettings] = RegionSpec(
    name="segmenter",
    summary="what the changed words name, found by the preset's segmenter",
    settings=SegmenterSettings,
    parts=("segmenter",),
    load=_load,
)
