"""Where trained weights lie, and which part of a preset they take the place of."""

from dataclasses import dataclass
from pathlib import Path

from transforms.models.spec import ModelSpec


@dataclass(frozen=True, kw_only=True)
class TrainedPart:
    """The part of a preset that trained weights take the place of.

    A run of `train` keeps it in its folder `inside`; `loader` loads it from there.
    """

    part: str
    loader: str
    inside: str

    def spec(self, folder: Path) -> ModelSpec:
        """The model in a run of `train`, or in a folder that is such a model itself."""
        within = folder / self.inside
        place = within if within.is_dir() else folder
        return ModelSpec(loader=self.loader, location=str(place.resolve()))


ADAPTATION_HEADS = TrainedPart(part="adaptation_heads", loader="adaptation_heads", inside="heads")
"""Linear layers over an encoder, for arithmetic with its embeddings; no preset names any."""
