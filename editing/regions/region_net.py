"""Networks that choose among boxes: the paper's for one picture, and ours, which sees the text.

Equations are those of Lin et al. 2024. Features are a backbone's patch tokens on their grid.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from editing.regions.boxes import Box

POOLED = 7
"""l of equation 1: a box's features come as l x l."""

Features = Float[Tensor, "d h w"]
"""F: what a backbone makes of a picture's patches."""

Pooled = Float[Tensor, "m d l l"]
"""f_1 to f_M: the features of M boxes."""

Logits = Float[Tensor, "k m"]
"""pi before the softmax: a row an anchor, a column a size."""


def roi_pool(features: Features, cells: Sequence[Box], size: int = POOLED) -> Pooled:
    """f_j = ROI-pool(F, B_j): equation 1, the largest of the features in each of l x l bins.

    `cells` are the boxes in (column, row) of the grid. A bin of a box with fewer than l patches
    along a side shares patches with its neighbours. It is what torchvision's `roi_pool` gives at
    scale 1 for boxes that end in the last patch they hold.
    """
    parts = [features[:, box.top : box.bottom, box.left : box.right] for box in cells]
    return torch.stack([F.adaptive_max_pool2d(part, size) for part in parts])


class RegionNet(nn.Module):
    """S of equation 2: two convolutions and two linear layers, with a ReLU between each two.

    It takes the features of all M boxes of an anchor, `depth` numbers a patch each, and gives
    their logits. It does not see the text: it is fitted to one picture and one edit.
    """

    def __init__(self, depth: int, sizes: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(depth * sizes, 8, 1),
            nn.ReLU(),
            nn.Conv2d(8, 4, 1),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(4 * POOLED**2, 4),
            nn.ReLU(),
            nn.Linear(4, sizes),
        )

    def forward(self, pooled: Float[Tensor, "k m d l l"]) -> Logits:
        """[pi_1, ..., pi_M] of K anchors: equation 2."""
        logits: Tensor = self.layers(pooled.flatten(1, 2))
        return logits


class TextRegionNet(nn.Module):
    """A network over pictures that sees the text: which box of all suits this edit.

    Ours; the paper fits a network to each picture. Each patch token is looked at beside the text (a
    scale and a shift from the embeddings of T, of T_ROI and of their difference), pooled over a box
    and over its surroundings, and judged together with where the box lies. Logits of all anchors
    and sizes go into one softmax, so that one box comes out.

    `depth` numbers a patch come in, embeddings of texts are `text_width` long, and `picture_size`
    is the side in pixels of the pictures it was trained on.
    """

    def __init__(
        self, *, depth: int, text_width: int, picture_size: int, width: int = 64
    ) -> None:
        super().__init__()
        self.depth, self.text_width, self.width = depth, text_width, width
        self.picture_size = picture_size
        self.see = nn.Sequential(nn.LayerNorm(depth), nn.Linear(depth, width))
        self.read = nn.Sequential(
            nn.LayerNorm(3 * text_width), nn.Linear(3 * text_width, 2 * width), nn.GELU()
        )
        self.modulate = nn.Linear(2 * width, 2 * width)
        self.mix = nn.Sequential(nn.GELU(), nn.Linear(width, width))
        self.judge = nn.Sequential(
            nn.Linear(5 * width + PLACE, 2 * width), nn.GELU(), nn.Linear(2 * width, 1)
        )

    def forward(
        self,
        features: Features,
        target: Float[Tensor, " text"],
        phrase: Float[Tensor, " text"],
        cells: Sequence[Sequence[Box]],
    ) -> Logits:
        """Logits of boxes, a row an anchor: of one picture, for one edit.

        `target` and `phrase` are the unit embeddings of T and T_ROI, `cells` the boxes of each
        anchor in (column, row) of the grid.
        """
        rows, columns = features.shape[1:]
        text = self.read(torch.cat([target, phrase, target - phrase]))
        scale, shift = self.modulate(text).chunk(2)
        tokens = self.see(features.flatten(1).T) * (1 + scale) + shift
        mixed = self.mix(tokens).T.view(self.width, rows, columns)
        boxes = [box for some in cells for box in some]
        judged = torch.cat([_look(mixed, boxes), text.expand(len(boxes), -1)], dim=1)
        place = features.new_tensor([_place(box, rows, columns) for box in boxes])
        logits: Tensor = self.judge(torch.cat([judged, place], dim=1))
        return logits.view(len(cells), -1)


PLACE = 7
"""Numbers that tell where a box lies."""


def _place(box: Box, rows: int, columns: int) -> tuple[float, ...]:
    left, right = box.left / columns, box.right / columns
    top, bottom = box.top / rows, box.bottom / rows
    area = (right - left) * (bottom - top)
    return left, right, top, bottom, right - left, bottom - top, area


def _look(mixed: Float[Tensor, "d h w"], boxes: Sequence[Box]) -> Float[Tensor, "n three_d"]:
    """Largest and mean feature inside each box, and the mean outside (0 where there is none)."""
    height, width = mixed.shape[1:]
    everything = mixed.sum((1, 2))
    rows = []
    for box in boxes:
        inside = mixed[:, box.top : box.bottom, box.left : box.right]
        cells = inside[0].numel()
        total = inside.sum((1, 2))
        outside = (everything - total) / max(1, height * width - cells)
        rows.append(torch.cat([inside.amax((1, 2)), total / cells, outside]))
    return torch.stack(rows)


def selection_probabilities(logits: Logits) -> Float[Tensor, "k m"]:
    """Softmax([pi_1, ..., pi_M]) of each anchor: how likely each of its boxes is chosen."""
    return torch.softmax(logits, dim=-1)


def straight_through(
    logits: Logits, generator: torch.Generator, *, temperature: float = 1.0
) -> Float[Tensor, "k m"]:
    """One box of each anchor, one-hot, by the Gumbel-Softmax trick (Jang et al. 2017).

    Noise g_j = -log(-log(u_j)), u_j uniform in (0, 1), is added to the logits. Forward is the
    argmax, backward the softmax at `temperature`.
    """
    uniform = torch.rand(logits.shape, generator=generator, dtype=torch.float64)
    tiny = torch.finfo(torch.float64).tiny
    noise = -torch.log(-torch.log(uniform.clamp_min(tiny)))
    soft = torch.softmax((logits + noise.to(logits.dtype)) / temperature, dim=-1)
    hard = F.one_hot(soft.argmax(-1), logits.shape[-1]).to(soft.dtype)
    return hard + soft - soft.detach()
