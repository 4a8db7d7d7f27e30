"""Fitting a region network to one picture and one edit: section 3.2 of Lin et al. 2024.

A box is not differentiable through an editor. With its seed fixed, the K x M edits are made once;
`exact` then minimises sum_j pi_j L_j itself, `straight_through` what the paper reads: Gumbel-
Softmax over boxes, with the gradient of the composite m E + (1 - m) X in the mask.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from editing.boxes.region_net import RegionNet, selection_probabilities, straight_through
from editing.editors.learned_regions.judging import EditJudge
from editing.editors.learned_regions.losses import composite, expected_loss
from editing.tensors import MaskBatch, PerExample, PictureBatch

Losses = Float[Tensor, "k m"]
Loss = Callable[[Tensor], Tensor]
"""From the logits (K, M) to the loss of them."""


@dataclass(frozen=True, eq=False, kw_only=True)
class PaintedBoxes:
    """The edits of all boxes of one picture: `masks` (n, 1, height, width) and `edits` of them.

    `places` (K, M) says where each anchor's boxes stand among them.
    """

    masks: MaskBatch
    edits: PictureBatch
    places: Tensor

    @property
    def count(self) -> int:
        """How many different boxes there are."""
        return len(self.edits)

    @property
    def areas(self) -> PerExample:
        """Every different box's share of the picture."""
        return self.masks.mean((1, 2, 3))


def exact_loss(losses: Losses) -> Loss:
    """sum_j pi_j L_j of known losses, the mean over anchors."""

    def loss(logits: Tensor) -> Tensor:
        return expected_loss(selection_probabilities(logits), losses)

    return loss


def straight_through_loss(
    painted: PaintedBoxes,
    source: PictureBatch,
    judge: EditJudge,
    generator: torch.Generator,
    *,
    temperature: float = 1.0,
    weight_area: float = 0.0,
) -> Loss:
    """The loss of one box an anchor, drawn by Gumbel-Softmax, the mean over anchors.

    `source` is one picture; every call draws anew. A box's share of the picture adds to its loss by
    `weight_area`.
    """
    areas = painted.areas[painted.places]

    def loss(logits: Tensor) -> Tensor:
        chosen = straight_through(logits, generator, temperature=temperature)
        pictures = [
            composite(row, painted.masks[places], painted.edits[places], source[0])
            for row, places in zip(chosen, painted.places, strict=True)
        ]
        mean: Tensor = judge(torch.cat(pictures)).loss.mean()
        return mean + weight_area * (chosen * areas).sum(1).mean()

    return loss


def fit_region_net(
    pooled: Float[Tensor, "k m d l l"],
    loss_of: Loss,
    *,
    steps: int,
    learning_rate: float,
    seed: int,
) -> Float[Tensor, "k m"]:
    """The probabilities of every anchor's boxes by a network that was fitted for `steps` of Adam.

    Weights are drawn from `seed`.
    """
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        torch.manual_seed(seed)
        net = RegionNet(pooled.shape[2], pooled.shape[1])
        optimiser = torch.optim.Adam(net.parameters(), lr=learning_rate)
        for _ in range(steps):
            optimiser.zero_grad()
            loss_of(net(pooled)).backward()
            optimiser.step()
    with torch.no_grad():
        return selection_probabilities(net(pooled))
