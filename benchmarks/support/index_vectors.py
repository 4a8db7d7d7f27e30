"""Vectors such as embeddings of many pictures are, drawn into files: the ground of index_scale.

They lie in clusters of very unequal size, spread in few directions more than in the others, and
around a mean that all share, as CLIP's do. Queries are more such vectors, or lie further off, as
the texts do that describe pictures.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from indexes.search import Vectors

DIMENSION = 512
CLUSTERS = 20_000
ROWS_AT_ONCE = 62_500
"""So many vectors are in a file."""

NOISE = 0.3
"""How far vectors lie from the centre of their cluster, where centres are 1 from their mean."""
TEXT_NOISE = 0.4
MEAN = 0.6
GAP = 0.8
"""How far texts lie from pictures, in one direction for all."""


@dataclass(frozen=True)
class Drawn:
    """The files of the vectors, in order, and the queries, float32 (n, `DIMENSION`)."""

    files: list[Path]
    pictures: Vectors
    texts: Vectors


def draw_vectors(folder: Path, count: int, *, queries: int, seed: int) -> Drawn:
    """Draws `count` unit vectors into files in `folder`, and as many `queries` of each kind."""
    rng = np.random.default_rng(seed)
    spread = np.arange(1, DIMENSION + 1) ** -0.5
    spread /= np.linalg.norm(spread)
    centres = (rng.normal(size=(CLUSTERS, DIMENSION)) * spread).astype(np.float32)
    shares = np.arange(1, CLUSTERS + 1) ** -0.7
    stretched = (0.7 * spread + 0.3 / np.sqrt(DIMENSION)).astype(np.float32)
    mean, gap = (_unit(rng.normal(size=(1, DIMENSION))) for _ in range(2))

    def some(size: int, noise: float) -> Vectors:
        chosen = rng.choice(CLUSTERS, size=size, p=shares / shares.sum())
        off = rng.standard_normal((size, DIMENSION), dtype=np.float32) * stretched
        return _unit(centres[chosen] + np.float32(noise) * off + np.float32(MEAN) * mean)

    files = []
    for number, start in enumerate(range(0, count, ROWS_AT_ONCE)):
        files.append(folder / f"img_emb_{number:05d}.npy")
        np.save(files[-1], some(min(ROWS_AT_ONCE, count - start), NOISE))
    texts = _unit(some(queries, TEXT_NOISE) + np.float32(GAP) * gap)
    return Drawn(files, some(queries, NOISE), texts)


def _unit(rows: npt.NDArray[np.floating[Any]]) -> Vectors:
    unit: Vectors = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return unit
