"""All parts of an index folder together: that they are whole, and what they come to."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from indexes.layout import REJECTS_FOLDER, IndexFolderError, all_parts
from indexes.parts import read_part
from indexes.search import Rows


@dataclass(frozen=True)
class WholeParts:
    """What the parts of a folder hold: `pictures` int64 (parts,), vectors of `dimension` numbers.

    `counts` are those that parts were written with, summed.
    """

    pictures: Rows
    dimension: int
    counts: dict[str, int]

    def __len__(self) -> int:
        return len(self.pictures)


def read_whole_parts(folder: Path, parts: int, *, fingerprint: str) -> WholeParts:
    """Reads the summaries of all `parts` one after another; of each but a number is kept.

    Raises:
        IndexFolderError: one is missing or cut short or of another description, they are of several
            dimensions, or none has a picture.
    """
    pictures = np.zeros(parts, dtype=np.int64)
    dimensions: set[int] = set()
    counts: Counter[str] = Counter()
    for number, part in enumerate(all_parts(parts)):
        summary = read_part(folder, part, fingerprint=fingerprint)
        if summary is None:
            raise IndexFolderError(f"{folder} lacks part {part.label}: run the index command again")
        pictures[number] = summary.pictures
        counts.update(summary.counts)
        if summary.pictures:
            dimensions.add(summary.dimension)
    if not dimensions:
        raise IndexFolderError(_no_pictures(folder, counts))
    if len(dimensions) > 1:
        raise IndexFolderError(f"{folder} must have one dimension, got {sorted(dimensions)}")
    return WholeParts(pictures, dimensions.pop(), {name: n for name, n in counts.items() if n > 0})


def _no_pictures(folder: Path, counts: Counter[str]) -> str:
    """Why nothing is there to search in, and how often: counts are by `stage: reason`."""
    read = counts.pop("sources", 0)
    reasons: Counter[str] = Counter()
    for name, number in counts.items():
        reasons[name.rpartition(": ")[2]] += number
    ordered = sorted(reasons.items(), key=lambda each: (-each[1], each[0]))
    why = ", ".join(f"{number} {reason}" for reason, number in ordered if number)
    return (
        f"{folder} has no pictures, none of {read} could be indexed: {why or 'there were none'} "
        f"(the rejects are in {folder / REJECTS_FOLDER})"
    )
