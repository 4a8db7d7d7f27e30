"""Rendered scenes as arrays, for training and for held-out figures."""

from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from stilllife.fields import FIELDS, label_scene
from stilllife.render import render
from stilllife.scene import PICTURE_SIZE, Mix, Scene, draw_scene

TRAINING_SEED = 20_001
HELD_OUT_SEEDS = {"validation": 70_007, "test": 90_011}
"""Recipes are chosen by the validation pictures and reported on the test pictures."""

CHUNK = 2_000

Chunk = tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8], npt.NDArray[np.int64]]
"""Pixels, regions and a table of labels, as `Collection` has them; a column a field."""


@dataclass(frozen=True)
class Collection:
    """Scenes `seed`, 0 to n-1, rendered.

    `pixels` (n, 64, 64, 3) uint8; `regions` (n, 64, 64) uint8, 0 = background, 1 and 2 = first and
    second thing; `labels` maps each of `FIELDS` to int64 (n,), `ABSENT` where there is none.
    """

    seed: int
    mix: Mix
    pixels: npt.NDArray[np.uint8]
    regions: npt.NDArray[np.uint8]
    labels: dict[str, npt.NDArray[np.int64]]

    def __len__(self) -> int:
        return len(self.pixels)

    def first(self, count: int) -> "Collection":
        """Its first `count` pictures."""
        labels = {name: values[:count] for name, values in self.labels.items()}
        return Collection(self.seed, self.mix, self.pixels[:count], self.regions[:count], labels)

    def colours(self, rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The colour labels (n,) of the first and second things of the pictures `rows`."""
        first, second = (
            torch.from_numpy(self.labels[name][rows.numpy()])
            for name in ("first.colour", "second.colour")
        )
        return first, second

    def scene(self, index: int) -> Scene:
        """The truth of one picture."""
        return draw_scene(self.seed, index, self.mix)

    def captions(self) -> list[str]:
        """Every scene's caption."""
        return [self.scene(index).caption() for index in range(len(self))]


def _render_chunk(start: int, *, seed: int, mix: Mix, count: int) -> Chunk:
    indices = range(start, min(start + CHUNK, count))
    pixels = np.empty((len(indices), PICTURE_SIZE, PICTURE_SIZE, 3), dtype=np.uint8)
    regions = np.zeros((len(indices), PICTURE_SIZE, PICTURE_SIZE), dtype=np.uint8)
    labels = np.empty((len(indices), len(FIELDS)), dtype=np.int64)
    for row, index in enumerate(indices):
        scene = draw_scene(seed, index, mix)
        rendering = render(scene)
        pixels[row] = rendering.pixels
        for order, mask in enumerate(rendering.masks, start=1):
            regions[row][mask > 0] = order
        labels[row] = label_scene(scene)
    return pixels, regions, labels


def collect(
    seed: int, count: int, mix: Mix, *, workers: int = 1, cache: Path | None = None
) -> Collection:
    """Renders scenes 0 to `count` - 1 of `seed`, in `workers` processes, or reads the `cache`.

    The cache is one .npz per collection; it may be deleted at any time.
    """
    path = None
    if cache is not None:
        share = f"{round(mix.two_objects * 100)}-{mix.held_out}"
        path = cache / f"collection-{seed}-{count}-{share}.npz"
        if path.exists():
            with np.load(path) as stored:
                parts = [(stored["pixels"], stored["regions"], stored["labels"])]
            return _assemble(seed, mix, parts)
    job = partial(_render_chunk, seed=seed, mix=mix, count=count)
    starts = range(0, count, CHUNK)
    if workers > 1:
        with ProcessPoolExecutor(workers) as pool:
            parts = list(pool.map(job, starts))
    else:
        parts = [job(start) for start in starts]
    collection = _assemble(seed, mix, parts)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        table = np.stack([collection.labels[name] for name in FIELDS], axis=1)
        np.savez(path, pixels=collection.pixels, regions=collection.regions, labels=table)
    return collection


def _assemble(seed: int, mix: Mix, parts: list[Chunk]) -> Collection:
    pixels, regions, table = (np.concatenate(column) for column in zip(*parts, strict=True))
    labels = {name: table[:, column] for column, name in enumerate(FIELDS)}
    return Collection(seed, mix, pixels, regions, labels)


def to_input(pixels: npt.NDArray[np.uint8]) -> torch.Tensor:
    """Pixels (n, 64, 64, 3) as the models take them: float32 NCHW in [-1, 1]."""
    tensor = torch.from_numpy(np.ascontiguousarray(pixels)).permute(0, 3, 1, 2)
    return tensor.float().div_(127.5).sub_(1.0)
