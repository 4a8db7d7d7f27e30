"""Networks that choose among boxes: the paper's for one picture, and ours, which sees the text.

Equations are those of Lin et al. 2024. Features are a backbone's patch tokens on their grid.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from editing.boxes.geometry import Box

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
    # The difference is exactly 0, so that forward is exactly one box.
    return hard + (soft - soft.detach())
