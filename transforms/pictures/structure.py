"""Where things are in a picture: a small map of its coarse edges, and how alike two maps are.

Words say what is in a picture and not where. To keep an object's place between source and
pseudo-target, both pictures are reduced to 16 x 16 maps of edge energy. The map must follow the
objects and neither their tint nor the background's texture, so

- edges are taken after smoothing, which leaves outlines and removes fine texture;
- they are taken in the two colour-difference channels too, and lightness counts less: patterns,
  shades and shadows change lightness most, while a thing differs from its surroundings in colour;
- what half of the map exceeds is background and is subtracted, with a margin;
- the map is smoothed, so that similarity falls gradually as an object moves.
"""

from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image

from transforms.resizing import resize_cheaply

SIDE = 16
CELL_PX = 4
LIGHTNESS_WEIGHT = 0.3
BACKGROUND_FACTOR = 1.5
PICTURE_SMOOTHINGS = 2
MAP_SMOOTHINGS = 4
LEAST_ENERGY = 0.5
"""Edges weaker than this, in grey levels, are noise: a map with nothing above it is all zero."""

Map = npt.NDArray[np.float64]


def structure_map(image: Image.Image) -> bytes:
    """The 16 x 16 map of `image` (RGB), row by row: 256 values 0..255, the strongest 255.

    Coordinates are relative: the picture is brought to 64 x 64 whatever its shape. A picture
    without edges gives zeros. The same picture gives the same bytes.
    """
    energy = _edge_energy(_opponent_channels(image))
    pooled = energy.reshape(SIDE, CELL_PX, SIDE, CELL_PX).mean(axis=(1, 3))
    standing_out: Map = np.clip(pooled - BACKGROUND_FACTOR * np.median(pooled), 0, None)
    strongest = standing_out.max()
    if strongest < LEAST_ENERGY:
        return bytes(SIDE * SIDE)
    smoothed = standing_out
    for _ in range(MAP_SMOOTHINGS):
        smoothed = _smooth(smoothed, edge="constant")
    levels: npt.NDArray[np.uint8] = np.rint(smoothed / smoothed.max() * 255).astype(np.uint8)
    return levels.tobytes()


def structure_similarity(first: bytes, second: bytes) -> float:
    """Cosine of two structure maps, in [0, 1]; two empty maps are alike (1)."""
    return float(structure_similarities(first, np.frombuffer(second, dtype=np.uint8)[None])[0])


def structure_similarities(first: bytes, others: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """Cosines of one structure map with `others` (n, 256), each in [0, 1].

    Integer sums: the result does not depend on the order or number of `others`.
    """
    one = np.frombuffer(first, dtype=np.uint8).astype(np.int64)
    if one.size != SIDE * SIDE:
        raise ValueError(f"a structure map must have {SIDE * SIDE} bytes, got {one.size}")
    many = others.astype(np.int64)
    products = (many * one).sum(axis=1)
    squares = (many * many).sum(axis=1)
    own = int((one * one).sum())
    lengths = np.sqrt(squares.astype(np.float64) * own)
    both_empty = (squares == 0) & (own == 0)
    cosines = np.divide(products, lengths, out=np.zeros(len(many)), where=lengths > 0)
    similarities: npt.NDArray[np.float64] = np.where(both_empty, 1.0, np.minimum(cosines, 1.0))
    return similarities


def _opponent_channels(image: Image.Image) -> Map:
    """Smoothed (64, 64, 4): three colour differences and the weighted lightness."""
    side = SIDE * CELL_PX
    small = resize_cheaply(image.convert("RGB"), (side, side), Image.Resampling.BOX)
    pixels = np.asarray(small, dtype=np.float64)
    lightness = pixels.mean(axis=2, keepdims=True)
    channels = np.concatenate([pixels - lightness, LIGHTNESS_WEIGHT * lightness], axis=2)
    for _ in range(PICTURE_SMOOTHINGS):
        channels = _smooth(channels, edge="edge")
    return channels


def _edge_energy(channels: Map) -> Map:
    """Length of the gradient over all channels; 0 on the border."""
    across = np.zeros_like(channels)
    down = np.zeros_like(channels)
    across[:, 1:-1] = channels[:, 2:] - channels[:, :-2]
    down[1:-1] = channels[2:] - channels[:-2]
    energy: Map = np.sqrt((across**2 + down**2).sum(axis=2))
    return energy


def _smooth(values: Map, *, edge: Literal["constant", "edge"]) -> Map:
    """Convolution with (1, 2, 1) / 4 down and across; beyond the border as `numpy.pad` has it."""
    rest = [(0, 0)] * (values.ndim - 2)
    padded = np.pad(values, [(1, 1), (1, 1), *rest], mode=edge)
    down = (padded[:-2] + 2 * padded[1:-1] + padded[2:]) / 4
    return (down[:, :-2] + 2 * down[:, 1:-1] + down[:, 2:]) / 4
