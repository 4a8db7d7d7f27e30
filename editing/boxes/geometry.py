"""Boxes around anchor points: where the learned-region editor looks (Lin et al. 2024, section 3.1).

Symbols of the paper: an anchor point C_i is the centre of a patch, B_j the square of the j-th size
around it, K and M how many there are of each. Boxes are in whole pixels, cut off at the picture's
border; patches are counted in (row, column).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from editing.errors import EditError
from editing.finite import not_finite
from editing.tensors import MaskTensor

Attention = Float[Tensor, "h w"]
"""How much a backbone's [CLS] token looks at each patch of a picture."""

SMALLEST, LARGEST = 1 / 8, 1 / 2
"""Half the side of the smallest and of the largest box, as a share of the picture's shorter side:
4 and 16 patches of a grid of 32."""


@dataclass(frozen=True, order=True)
class Anchor:
    """A patch of a picture, in (row, column) of its grid."""

    row: int
    column: int

    def centre(self, *, grid: tuple[int, int], size: tuple[int, int]) -> tuple[float, float]:
        """C_i, its middle in pixels from the top and from the left.

        `grid` are the patches (rows, columns) of the picture, `size` its (height, width) in pixels.
        """
        (rows, columns), (height, width) = grid, size
        return (self.row + 0.5) * height / rows, (self.column + 0.5) * width / columns


@dataclass(frozen=True, order=True)
class Box:
    """A rectangle of whole pixels: from (`left`, `top`) up to, not including, (`right`, `bottom`).

    Raises:
        ValueError: it holds no pixel, or reaches left of or above the picture.
    """

    left: int
    top: int
    right: int
    bottom: int

    def __post_init__(self) -> None:
        if self.left < 0 or self.top < 0:
            raise ValueError(f"a box must begin inside the picture, got {self}")
        if self.right <= self.left or self.bottom <= self.top:
            raise ValueError(f"a box must hold at least one pixel, got {self}")

    @classmethod
    def around(
        cls, centre: tuple[float, float], reach: tuple[float, float], *, size: tuple[int, int]
    ) -> "Box":
        """The box that reaches so many pixels from a point up and down, and to either side.

        It is cut off at the border of a picture of `size` (height, width), and holds a pixel at
        least.
        """
        (y, x), (down, across), (height, width) = centre, reach, size
        top = min(height - 1, max(0, round(y - down)))
        left = min(width - 1, max(0, round(x - across)))
        bottom = min(height, max(top + 1, round(y + down)))
        return cls(left, top, min(width, max(left + 1, round(x + across))), bottom)

    def mask(self, height: int, width: int) -> MaskTensor:
        """The box as a mask of a picture of that size: 1 inside.

        Raises:
            ValueError: it reaches beyond the picture.
        """
        if self.right > width or self.bottom > height:
            raise ValueError(f"a box must lie in its picture of {width} x {height}, got {self}")
        mask = torch.zeros(1, height, width)
        mask[:, self.top : self.bottom, self.left : self.right] = 1
        return mask

    def scaled(self, size: tuple[int, int], other: tuple[int, int]) -> "Box":
        """The box of a picture of `size` (width, height) in the same picture at the size `other`.

        It covers at least what the box covers.
        """
        across, down = other[0] / size[0], other[1] / size[1]
        return Box(
            int(self.left * across),
            int(self.top * down),
            min(other[0], max(1, math.ceil(self.right * across))),
            min(other[1], max(1, math.ceil(self.bottom * down))),
        )


def find_anchors(attention: Attention, count: int) -> tuple[Anchor, ...]:
    """The `count` patches that are looked at most, the first the most: C_1 to C_K.

    Of patches looked at alike the earlier row comes first, then the earlier column.

    Raises:
        EditError: there are not so many patches, or none is wanted.
        NotFiniteError: the attention is no number somewhere.
    """
    patches = attention.numel()
    if not 1 <= count <= patches:
        raise EditError(f"anchors must be in [1, {patches}], the patches there are, got {count}")
    if not bool(torch.isfinite(attention).all()):
        raise not_finite("in the backbone's attention")
    order = torch.sort(attention.flatten().float(), descending=True, stable=True).indices
    columns = attention.shape[1]
    return tuple(Anchor(*divmod(int(place), columns)) for place in order[:count])


def half_sizes(count: int) -> tuple[float, ...]:
    """Half the sides of M boxes around one anchor, evenly from `SMALLEST` to `LARGEST`.

    They are shares of the picture's shorter side. One alone is of the size in the middle.

    Raises:
        EditError: no box is wanted.
    """
    if count < 1:
        raise EditError(f"sizes must be at least 1, got {count}")
    if count == 1:
        return ((SMALLEST + LARGEST) / 2,)
    step = (LARGEST - SMALLEST) / (count - 1)
    return tuple(SMALLEST + step * number for number in range(count))


def propose_boxes(
    anchor: Anchor, halves: Sequence[float], *, grid: tuple[int, int], size: tuple[int, int]
) -> tuple[Box, ...]:
    """The squares B_1 to B_M around an anchor, cut off at the border.

    `halves` are as `half_sizes` gives them, `grid` the patches (rows, columns) of the picture,
    `size` its (height, width) in pixels.

    Raises:
        ValueError: the anchor is no patch of the grid.
    """
    rows, columns = grid
    height, width = size
    if not (0 <= anchor.row < rows and 0 <= anchor.column < columns):
        raise ValueError(f"an anchor must lie in the grid of {rows} x {columns}, got {anchor}")
    centre = anchor.centre(grid=grid, size=size)
    reaches = [half * min(height, width) for half in halves]
    return tuple(Box.around(centre, (reach, reach), size=size) for reach in reaches)


def box_cells(box: Box, *, grid: tuple[int, int], size: tuple[int, int]) -> Box:
    """The patches that a box touches, as a box in (column, row) of the grid: at least one.

    `size` is the picture's (height, width) in pixels.
    """
    (rows, columns), (height, width) = grid, size
    left, top = int(box.left * columns / width), int(box.top * rows / height)
    right = min(columns, max(left + 1, math.ceil(box.right * columns / width)))
    bottom = min(rows, max(top + 1, math.ceil(box.bottom * rows / height)))
    return Box(left, top, right, bottom)
