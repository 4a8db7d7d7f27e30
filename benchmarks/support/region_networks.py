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
from editing.pictures import picture_to_tensor
from editing.regions.learned_spec import LearnedSettings
from support.region_bank import Bench, Row, paint_regions, weigh
from support.region_rules import BOXES, losses_of
from support.region_tasks import RegionTask

NETWORK = "network"
"""The group of the one edit in the box that the trained network chooses."""

FIT_STEPS, FIT_RATE = 100, 0.003
DRAWS = 64
"""Boxes drawn for a mean gradient of the straight-through objective."""


@dataclass(frozen=True, eq=False)
class Painted:
    """A task's painted boxes of its first anchors, as fitting takes them."""

    source: Tensor
    proposals: Proposals
    boxes: PaintedBoxes
    judge: EditJudge
    losses: Tensor


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
    return Painted(source, proposals, boxes, judge, losses_of(row)[places])


def fitted_pick(opened: Painted, row: Row, *, objective: str, rank: str, seed: int) -> int:
    """Which edit is kept by a network that is fitted to the picture; its number in the group."""
    loss_of: Loss = exact_loss(opened.losses)
    if objective == "straight-through":
        drawn = torch.Generator().manual_seed(seed)
        loss_of = _drawn_loss(opened, drawn)
    probabilities = fit_region_net(
        opened.proposals.pooled(), loss_of, steps=FIT_STEPS, learning_rate=FIT_RATE, seed=seed
    )
    values = opened.losses
    if rank == "score":
        values = -row["worth"][BOXES]["score_usual"][opened.boxes.places]
    chosen = choose_of_each(values, probabilities)
    return int(opened.boxes.places[chosen.anchor, chosen.size])


def _drawn_loss(opened: Painted, generator: torch.Generator) -> Loss:
    return straight_through_loss(
        opened.boxes,
        opened.source[None],
        opened.judge,
        generator,
        weight_area=LearnedRegionSettings().weight_area,
    )


@torch.no_grad()
def edit_once(
    task: RegionTask,
    net: TextRegionNet,
    inpainter: Inpainter,
    bench: Bench,
    settings: LearnedSettings,
    *,
    noise: int,
) -> tuple[Row, float]:
    """The one edit in the box that the network chooses which sees the text, judged as a bank's.

    Beside it the processor's seconds of choosing and painting.
    """
    source = picture_to_tensor(task.image)
    began = time.process_time()
    proposals = propose(
        bench.backbone, source, anchors=settings.box_anchors, sizes=settings.box_sizes
    )
    target, phrase = embed_words(bench.clip, [task.prompt, task.source_phrase])
    logits = choose_box(net, proposals, target, phrase)
    box = proposals.distinct[int(proposals.places.flatten()[logits.argmax()])]
    masks = box.mask(*proposals.size)[None]
    painted = paint_regions(task, source, masks, inpainter, inpainter.defaults, noise=noise)
    seconds = time.process_time() - began
    return {"worth": {NETWORK: weigh(task, *painted, {}, bench.judge)}}, seconds


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
    shape = opened.losses.shape
    exact = _gradient(exact_loss(opened.losses), shape)
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
