"""Rules by a network: fitted to each picture, or trained over many; and how gradients agree."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from editing.boxes.proposals import Proposals, propose
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
from editing.inpainting.requests import inpaint_requests
from editing.pictures import mask_to_tensor, picture_to_tensor
from editing.regions.finder import RegionFinder
from stilllife.judge import Judge
from support.region_bank import USUAL, Bench, Row, weigh
from support.region_rules import BOXES, Kept, keep, losses_of
from support.region_tasks import RegionTask

NETWORK = "network"
"""The group of the one edit in the box that the trained network chooses."""

TOGETHER = 16
AREA = LearnedRegionSettings().weight_area
AREAS = (0.8, 0.4, 0.3, 0.2, 0.15, 0.1, 0.05, 0.0)
"""Weights of the area that networks are fitted under, so that rules compare at equal error: from
that which leaves most of a picture alone to none."""

DRAWS = 64
"""Boxes drawn for a mean gradient of the straight-through objective."""


@dataclass(frozen=True, eq=False)
class Painted:
    """A task's painted boxes of its first anchors, as fitting takes them.

    `plain` and `score` (K, M) are their losses of equation 3 and their S of equation 7.
    """

    source: Tensor
    proposals: Proposals
    boxes: PaintedBoxes
    judge: EditJudge
    plain: Tensor
    score: Tensor

    def losses(self, weight_area: float = AREA) -> Tensor:
        """The losses (K, M) with the area's weight."""
        return self.plain + weight_area * self.proposals.areas()


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
    score = row["worth"][BOXES][f"score_{USUAL}"][places]
    return Painted(source, proposals, boxes, judge, plain, score)


def fit_exactly(opened: Painted, *, weight_area: float, seed: int) -> Tensor:
    """The probabilities (K, M) of a network that is fitted to the expected loss."""
    return _fit(opened, exact_loss(opened.losses(weight_area)), seed)


def fit_by_draws(opened: Painted, *, seed: int) -> Tensor:
    """The probabilities (K, M) of a network that is fitted to the losses of drawn boxes."""
    return _fit(opened, _drawn_loss(opened, torch.Generator().manual_seed(seed)), seed)


def _fit(opened: Painted, loss_of: Loss, seed: int) -> Tensor:
    pooled = opened.proposals.pooled()
    usual = LearnedRegionSettings()
    return fit_region_net(
        pooled, loss_of, steps=usual.fit_steps, learning_rate=usual.fit_rate, seed=seed
    )


def _drawn_loss(opened: Painted, generator: torch.Generator) -> Loss:
    return straight_through_loss(
        opened.boxes,
        opened.source[None],
        opened.judge,
        generator,
        weight_area=AREA,
    )


@dataclass(frozen=True, eq=False)
class Fits:
    """What networks kept that were fitted to pictures, by the rule's name; and what it took.

    `seconds` are of a fit, by objective; `gradients` the means of `Agreement`.
    """

    kept: Mapping[str, Kept]
    seconds: Mapping[str, float]
    gradients: Mapping[str, float]


def fit_all(rows: Sequence[Row], opened: Sequence[Painted], *, drawn: int) -> Fits:
    """Networks fitted to all of the rows' pictures, to the first `drawn` by drawn boxes as well."""
    kept, seconds = {}, {}
    began = time.process_time()
    for weight in AREAS:
        chances = [fit_exactly(each, weight_area=weight, seed=n) for n, each in enumerate(opened)]
        values = [each.losses(weight) for each in opened]
        kept[fitted_at(weight)] = keep_fitted(rows, opened, values, chances)
        if weight == AREA:
            scores = [-each.score for each in opened]
            kept["fitted, exact, by score"] = keep_fitted(rows, opened, scores, chances)
    seconds["exact"] = (time.process_time() - began) / max(1, len(rows) * len(AREAS))
    few, rows = opened[:drawn], rows[:drawn]
    began = time.process_time()
    chances = [fit_by_draws(each, seed=n) for n, each in enumerate(few)]
    seconds["straight-through"] = (time.process_time() - began) / max(1, len(few))
    for rank, values in (
        ("loss", [each.losses() for each in few]),
        ("score", [-each.score for each in few]),
    ):
        kept[f"fitted, straight-through, by {rank}"] = keep_fitted(rows, few, values, chances)
    agreed = [vars(compare_gradients(each, seed=n)) for n, each in enumerate(few)]
    names = [field.name for field in fields(Agreement)]
    gradients = {name: float(np.mean([each[name] for each in agreed])) for name in names}
    return Fits(kept, seconds, gradients)


def fitted_at(weight_area: float) -> str:
    """The rule by networks that are fitted exactly, by the weight of the area."""
    return f"fitted, exact, by loss, area {weight_area:g}"


def keep_fitted(
    rows: Sequence[Row],
    opened: Sequence[Painted],
    values: Sequence[Tensor],
    chances: Sequence[Tensor],
) -> Kept:
    """What is kept of each row: of each anchor's likeliest box the one of the smallest value."""
    picks: dict[int, tuple[str, int]] = {}
    for row, each, value, likely in zip(rows, opened, values, chances, strict=True):
        chosen = choose_of_each(value, likely)
        picks[id(row)] = (BOXES, int(each.boxes.places[chosen.anchor, chosen.size]))
    return keep(rows, lambda row: picks[id(row)])


def edit_once(
    tasks: Sequence[RegionTask],
    finder: RegionFinder,
    inpainter: Inpainter,
    judge: Judge,
    *,
    noises: Sequence[int],
) -> tuple[list[Row], float]:
    """The one edit of each task, in the region that is found, judged as those of a bank.

    Beside the rows the processor's seconds of finding and painting, a task; `TOGETHER` are painted
    in a batch, as the commands paint those of several pictures.
    """
    began = time.process_time()
    drawn = [torch.Generator().manual_seed(noise) for noise in noises]
    requests = [task.request for task in tasks]
    masks = finder.find(requests, drawn)
    outputs = inpaint_requests(
        inpainter,
        [replace(each, edit_mask=mask) for each, mask in zip(requests, masks, strict=True)],
        drawn,
        settings=inpainter.defaults,
        at_once=TOGETHER,
        keep_below=LearnedRegionSettings().keep_below,
    )
    took = (time.process_time() - began) / max(1, len(tasks))
    rows: list[Row] = []
    for task, mask, output in zip(tasks, masks, outputs, strict=True):
        made = picture_to_tensor(output.edits[0].image)
        numbers = weigh(task, mask_to_tensor(mask)[None], made[None], {}, judge)
        rows.append({"worth": {NETWORK: numbers}})
    return rows, took


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
