"""The boxes that come into question for a picture: K anchors, M sizes around each."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor

from editing.boxes.geometry import (
    Anchor,
    Attention,
    Box,
    box_cells,
    find_anchors,
    half_sizes,
    propose_boxes,
)
from editing.boxes.region_net import Features, roi_pool
from editing.features.backbone import Backbone
from editing.tensors import PictureTensor


@dataclass(frozen=True, eq=False)
class Proposals:
    """What a picture's boxes are: a row of `boxes` an anchor, in the order of their sizes.

    `size` is the picture's (height, width) in pixels. Boxes that the border makes equal are one.
    """

    attention: Attention
    features: Features
    anchors: tuple[Anchor, ...]
    boxes: tuple[tuple[Box, ...], ...]
    size: tuple[int, int]

    @cached_property
    def distinct(self) -> tuple[Box, ...]:
        """Every box once."""
        return tuple(dict.fromkeys(box for row in self.boxes for box in row))

    @cached_property
    def places(self) -> Tensor:
        """(K, M): where in `distinct` each anchor's boxes stand."""
        where = {box: place for place, box in enumerate(self.distinct)}
        return torch.tensor([[where[box] for box in row] for row in self.boxes])

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of patches."""
        rows, columns = self.attention.shape
        return rows, columns

    def cells(self) -> tuple[tuple[Box, ...], ...]:
        """The patches that each box touches."""
        return tuple(
            tuple(box_cells(box, grid=self.grid, size=self.size) for box in row)
            for row in self.boxes
        )

    def extents(self) -> Float[Tensor, "k m 4"]:
        """Left, top, right and bottom of every box as shares of the picture."""
        height, width = self.size
        whole = torch.tensor([width, height, width, height])
        rows = [[(b.left, b.top, b.right, b.bottom) for b in row] for row in self.boxes]
        return torch.tensor(rows) / whole

    def areas(self) -> Float[Tensor, "k m"]:
        """Every box's share of the picture."""
        extents = self.extents()
        return (extents[..., 2:] - extents[..., :2]).prod(-1)

    def pooled(self) -> Tensor:
        """f_1 to f_M of every anchor: (K, M, d, l, l)."""
        return torch.stack([roi_pool(self.features, row) for row in self.cells()])


@torch.no_grad()
def propose(backbone: Backbone, picture: PictureTensor, *, anchors: int, sizes: int) -> Proposals:
    """The boxes of a picture in [-1, 1]: around what the backbone looks at most.

    Raises:
        EditError: there are not so many anchors.
        NotFiniteError: the backbone gives no numbers.
    """
    seen = backbone(picture.unsqueeze(0))
    attention, features = seen.attention[0].cpu(), seen.features[0].float().cpu()
    found = find_anchors(attention, anchors)
    rows, columns = attention.shape
    height, width = picture.shape[-2:]
    halves = half_sizes(sizes)
    boxes: Sequence[tuple[Box, ...]] = [
        propose_boxes(anchor, halves, grid=(rows, columns), size=(height, width))
        for anchor in found
    ]
    return Proposals(attention, features, found, tuple(boxes), (height, width))
