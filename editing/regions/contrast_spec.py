"""What the region finder `contrast` is. Imports no network library."""

from typing import TYPE_CHECKING

from editing.regions.contrast_settings import ContrastSettings
from editing.regions.finder import RegionSpec

if TYPE_CHECKING:
    from editing.parts import Parts
    from editing.regions.contrast import ContrastRegions


def _load(parts: "Parts", settings: ContrastSettings) -> "ContrastRegions":
    from editing.regions.contrast import ContrastRegions

    return ContrastRegions(parts.diffusion, settings)


CONTRAST: RegionSpec[ContrastSettings] = RegionSpec(
    name="contrast",
    summary="where the diffusion model sees other noise under the prompt than under the source's",
    settings=ContrastSettings,
    parts=("diffusion",),
    load=_load,
    needs_words=False,
)
