"""Every region finder, one line each."""

from typing import Any

from editing.errors import SettingError
from editing.regions.contrast_spec import CONTRAST
from editing.regions.finder import RegionSpec
from editing.regions.learned_spec import LEARNED
from editing.regions.segmenter_spec import SEGMENTER

REGIONS: dict[str, RegionSpec[Any]] = {spec.name: spec for spec in (SEGMENTER, LEARNED, CONTRAST)}
"""The region finders by name."""

NO_REGIONS = "none"
"""What a person says to have nothing looked for."""


def find_regions_spec(name: str) -> RegionSpec[Any]:
    """The region finder of that name.

    Raises:
        SettingError: there is none.
    """
    if name not in REGIONS:
        raise SettingError(f"regions must be one of {', '.join(REGIONS)}, got {name!r}")
    return REGIONS[name]
