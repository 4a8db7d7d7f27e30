"""Rules by a network: fitted to each picture, or trained over many; and how gradients agree."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from editing.boxes.proposals import Proposals, propose
from editing.boxes.text_region_net import TextRegionNet, choose_box, embed_words
from editing.editors.learned_regions.choosing import choose_of_each
from editing.editors.learned_regions.fitting import (
    Loss,
    PaintedBoxes,
    exact_loss,
    fit_region_net,
    straight_through_loss,
)
from editing.editors.learned_regions.judging import EditJudge, make_judge
from editing.editors.learned_regions.settings import LearnedRegionSettings, LossWeights
from editing.inpainting.inpainter import Inpainter
from editing.inpainting.pasting import keep_alike
from editing.pictures import picture_to_tensor
from editing.regions.learned_spec import LearnedSettings
from support.region_bank import Bench, Row, weigh
from support.region_rules import losses_of
from support.region_tasks import RegionTask

NETWORK = "network"
"""The group of the one edit in the box that the trained network chooses."""

TOGETHER = 16
AREA = LearnedRegionSettings().weight_area
AREAS = (0.8, 0.4, 0.3, 0.2, 0.15, 0.1, 0.05, 0.0)
"""Weights of the area that networks are fitted under, so that rules compare at equal error: from
that which leaves most of a picture alone to none."""

FIT_STEPS, FIT_RATE = 100, 0.003
DRAWS = 64
"""Boxes drawn for a mean gradient of the straight-through objective."""


@dataclass(frozen=True, eq=False)
class Painted:
    """A task's painted boxes of its first anchors, as fitting takes them.

    `plain` (K, M) are the losses of equation 3, `areas` (K, M) the boxes' shares of the picture.
    """

    source: Tensor
    proposals: Proposals
    boxes: PaintedBoxes
    judge: EditJudge
    plain: Tensor
    areas: Tensor

    def losses(self, weight_area: float = AREA) -> Tensor:
        """The losses (K, M) with the area's weight."""
        return self.plain + weight_area * self.areas


def open_task(task: RegionTask, row: Row, bench: Bench, *, anchors: int) -> Painted:
    """A task of the bank, opened for fitting."""
    source = picture_to_tensor(task.image)
    proposals = propose(bench.backbone, source, anchors=anchors, sizes=row["places"].shape[1])
    places = row["places"][:anchors]
    judge = make_judge(
        bench.clip,
        source[None],
        prompt=task.prompt,
        phrase=task.caption,
        weights=LossWeights(),
        views=LearnedRegionSettings().views,
    )
    masks = torch.zeros(len(row["boxes"]), 1, *proposals.size)
    for mask, (left, top, right, bottom) in zip(masks, row["boxes"], strict=True):
        mask[:, top:bottom, left:right] = 1
    edits = row["edits"].float() / 127.5 - 1
    boxes = PaintedBoxes(masks=masks, edits=edits, places=places)
    plain = losses_of(row, weight_area=0.0)[places]
    return Painted(source, proposals, boxes, judge, plain, proposals.areas())


def fit_exactly(opened: Painted, *, weight_area: float, seed: int) -> Tensor:
    """The probabilities (K, M) of a network that is fitted to the expected loss."""
    return _fit(opened, exact_loss(opened.losses(weight_area)), seed)


def fit_by_draws(opened: Painted, *, seed: int) -> Tensor:
    """The probabilities (K, M) of a network that is fitted to the losses of drawn boxes."""
    return _fit(opened, _drawn_loss(opened, torch.Generator().manual_seed(seed)), seed)


def _fit(opened: Painted, loss_of: Loss, seed: int) -> Tensor:
    pooled = opened.proposals.pooled()
    return fit_region_net(pooled, loss_of, steps=FIT_STEPS, learning_rate=FIT_RATE, seed=seed)


def pick_of_each(opened: Painted, values: Tensor, probabilities: Tensor) -> int:
    """Of each anchor's likeliest box the one of the smallest value (K, M); its number."""
    chosen = choose_of_each(values, probabilities)
    return int(opened.boxes.places[chosen.anchor, chosen.size])


def _drawn_loss(opened: Painted, generator: torch.Generator) -> Loss:
    return straight_through_loss(
        opened.boxes,
        opened.source[None],
        opened.judge,
        generator,
        weight_area=AREA,
    )


@torch.no_grad()
def edit_once(
    tasks: Sequence[RegionTask],
    net: TextRegionNet,
    inpainter: Inpainter,
    bench: Bench,
    settings: LearnedSettings,
    *,
    noises: Sequence[int],
) -> tuple[list[Row], float]:
    """The one edit of each task, in the box that the network chooses, judged as those of a bank.

    `TOGETHER` are painted in a batch, as the commands paint those of several pictures. Beside the
    rows the processor's seconds of choosing and painting, a task.
    """
    rows: list[Row] = []
    took = 0.0
    for start in range(0, len(tasks), TOGETHER):
        some, drawn = tasks[start : start + TOGETHER], noises[start : start + TOGETHER]
        pictures = torch.stack([picture_to_tensor(task.image) for task in some])
        began = time.process_time()
        masks = torch.stack(
            [
                _choose(task, picture, net, bench, settings)
                for task, picture in zip(some, pictures, strict=True)
            ]
        )
        prompts = [task.prompt for task in some]
        generators = [torch.Generator().manual_seed(noise) for noise in drawn]
        made = inpainter.inpaint(
            pictures, masks, prompts, generators, settings=inpainter.defaults
        ).cpu()
        edits = keep_alike(pictures, made, below=LearnedRegionSettings().keep_below)
        took += time.process_time() - began
        rows += [
            {"worth": {NETWORK: weigh(task, masks[n : n + 1], edits[n : n + 1], {}, bench.judge)}}
            for n, task in enumerate(some)
        ]
    return rows, took / max(1, len(tasks))


def _choose(
    task: RegionTask,
    picture: Tensor,
    net: TextRegionNet,
    bench: Bench,
    settings: LearnedSettings,
) -> Tensor:
    proposals = propose(
        bench.backbone, picture, anchors=settings.box_anchors, sizes=settings.box_sizes
    )
    target, phrase = embed_words(bench.clip, [task.prompt, task.source_phrase])
    logits = choose_box(net, proposals, target, phrase)
    box = proposals.distinct[int(proposals.places.flatten()[logits.argmax()])]
    return box.mask(*proposals.size)


@dataclass(frozen=True)
class Agreement:
    """How far the gradients of the two objectives agree on one picture, at equal logits.

    `cosine` of the exact gradient and of the mean one of `DRAWS` draws; `single` the mean cosine of
    one draw's; `same_box` whether both push the same box of an anchor most, a share of the anchors.
    """

    cosine: float
    single: float
    same_box: float


def compare_gradients(opened: Painted, *, seed: int) -> Agreement:
    """The exact gradient in the logits beside the straight-through one."""
    shape = opened.plain.shape
    exact = _gradient(exact_loss(opened.losses()), shape)
    drawn = torch.Generator().manual_seed(seed)
    through = _drawn_loss(opened, drawn)
    draws = torch.stack([_gradient(through, shape) for _ in range(DRAWS)])
    mean = draws.mean(0)
    single = F.cosine_similarity(draws.flatten(1), exact.flatten()[None], dim=1).mean()
    return Agreement(
        cosine=F.cosine_similarity(mean.flatten(), exact.flatten(), dim=0).item(),
        single=single.item(),
        same_box=(mean.argmin(1) == exact.argmin(1)).float().mean().item(),
    )


def _gradient(loss_of: Loss, shape: Sequence[int]) -> Tensor:
    logits = torch.zeros(*shape, requires_grad=True)
    (found,) = torch.autograd.grad(loss_of(logits), logits)
    return found
