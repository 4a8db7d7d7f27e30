"""Every box of every task painted and judged once, so that rules can be compared afterwards."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from editing.boxes.geometry import Box
from editing.boxes.proposals import Proposals, propose
from editing.editors.learned_regions.judging import EditJudge, Worth, judge_in_parts, make_judge
from editing.editors.learned_regions.painting import paint_boxes, same_noise
from editing.editors.learned_regions.settings import LearnedRegionSettings, LossWeights
from editing.features.backbone import Backbone
from editing.features.clip import PatchClipSpace
from editing.inpainting.inpainter import Inpainter, InpaintSettings
from editing.inpainting.pasting import keep_alike
from editing.pictures import mask_to_tensor, picture_to_tensor
from editing.regions.segmented import SegmentedRegions
from pipelines.terminal.console import show_progress
from stilllife.judge import Judge
from support.region_tasks import RegionTask, judge_edits
from transforms.protocols import Segmenter

AT_ONCE = 64
GROWN = 0.05
"""How far the segmenter's mask is grown, as the table of editors does it."""

USUAL, ONE_VIEW, FROM_PHRASE = "usual", "one_view", "from_phrase"
"""How edits are judged: as by default, in one view, and with the direction from the phrase."""

ALL_WAYS = (USUAL, ONE_VIEW, FROM_PHRASE)

RANDOM, ATTENTION, SEGMENTER = "random", "attention", "segmenter"
STRENGTHS = (0.6, 0.7, 0.8, 0.9)
"""Strengths at which random boxes are painted, so that rules can be compared at equal error."""


def at_strength(group: str, strength: float) -> str:
    """The group of random boxes that are painted at a strength."""
    return f"{group} {strength:g}"


@dataclass(frozen=True, eq=False, kw_only=True)
class Bench:
    """The networks of the benchmark, loaded."""

    backbone: Backbone
    clip: PatchClipSpace
    segmenter: Segmenter
    judge: Judge


Row = dict[str, Any]
"""One task's: `kind`, `places` (K, M), `boxes`, and `worth` of all edits by name and by group.

A group is `boxes` (all different ones), `random` or `attention` and a strength (a box an anchor, of
random size), or `segmenter` (its mask). Of each edit stand `clip`, `structure`, `direction` and
`score` for each way of judging, such as `clip_usual`; `edited`, `both`, `error`; and how much of
the true thing and of the other lies in the region.
"""


def fill_bank(
    folder: Path,
    tasks: Sequence[RegionTask],
    inpainter: Inpainter,
    bench: Bench,
    *,
    anchors: int,
    sizes: int,
    seed: int,
    beside: bool = False,
    strengths: Sequence[float] = (),
    ways: Sequence[str] = (USUAL,),
) -> list[Row]:
    """The rows of all tasks, from `folder` where they were made before.

    With `beside` the segmenter's mask is painted too, and the baselines' random boxes at each of
    `strengths`; `ways` are those of judging.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    with show_progress(f"painting {folder.name}", len(tasks), unit="tasks") as advance:
        for number, task in enumerate(tasks):
            path = folder / f"{number:05d}.pt"
            if not path.exists():
                row = _paint_task(
                    task,
                    inpainter,
                    bench,
                    anchors=anchors,
                    sizes=sizes,
                    seed=[seed, number],
                    beside=beside,
                    strengths=strengths,
                    ways=ways,
                )
                unfinished = path.with_suffix(".tmp")
                torch.save(row, unfinished)
                unfinished.replace(path)
            rows.append(torch.load(path, weights_only=True))
            advance(1)
    return rows


def _paint_task(
    task: RegionTask,
    inpainter: Inpainter,
    bench: Bench,
    *,
    anchors: int,
    sizes: int,
    seed: list[int],
    beside: bool,
    strengths: Sequence[float],
    ways: Sequence[str],
) -> Row:
    picture = picture_to_tensor(task.image)
    proposals = propose(bench.backbone, picture, anchors=anchors, sizes=sizes)
    noise = noise_of(seed)
    judges = {
        way: make_judge(
            bench.clip,
            picture[None],
            prompt=task.prompt,
            phrase=task.source_phrase if way == FROM_PHRASE else task.caption,
            weights=LossWeights(),
            views=1 if way == ONE_VIEW else LearnedRegionSettings().views,
        )
        for way in ways
    }
    began = time.process_time()
    painted = paint_boxes(
        inpainter,
        picture,
        proposals,
        prompt=task.prompt,
        seed=noise,
        settings=inpainter.defaults,
        at_once=AT_ONCE,
        keep_below=LearnedRegionSettings().keep_below,
    )
    seconds = time.process_time() - began
    began = time.process_time()
    worths = _judge(judges, painted.edits)
    judged = (time.process_time() - began) / len(ways)
    worth = {"boxes": weigh(task, painted.masks, painted.edits, worths, bench.judge)}
    groups: dict[str, tuple[Tensor, Tensor]] = {}
    if beside:
        groups |= _paint_segmented(task, picture, inpainter, bench, noise=noise)
    if strengths:
        groups |= _paint_random(
            task, picture, proposals, inpainter, strengths=strengths, noise=noise, seed=seed
        )
    return {
        "kind": task.kind,
        "places": proposals.places,
        "boxes": [(b.left, b.top, b.right, b.bottom) for b in proposals.distinct],
        "anchors_on_thing": _on_thing(task, proposals),
        "seconds_a_box": seconds / painted.count,
        "seconds_judging": judged / painted.count,
        "edits": ((painted.edits + 1) * 127.5).round().to(torch.uint8),
        "worth": worth
        | {
            name: weigh(task, masks, edits, _judge(judges, edits), bench.judge)
            for name, (masks, edits) in groups.items()
        },
    }


def _judge(judges: Mapping[str, EditJudge], edits: Tensor) -> dict[str, Worth]:
    """What edits are worth, in each way of judging."""
    return {way: judge_in_parts(each, edits, at_once=AT_ONCE) for way, each in judges.items()}


def noise_of(seed: Sequence[int]) -> int:
    """What draws the noise of all edits of a task, by the benchmark's seed and its number."""
    return int(np.random.SeedSequence(list(seed)).generate_state(1)[0])


def _paint_random(
    task: RegionTask,
    picture: Tensor,
    proposals: Proposals,
    inpainter: Inpainter,
    *,
    strengths: Sequence[float],
    noise: int,
    seed: list[int],
) -> dict[str, tuple[Tensor, Tensor]]:
    """The baselines of table 2 of the paper, as many boxes as there are anchors."""
    rng = np.random.default_rng(seed)
    height, width = proposals.size
    centres = {
        RANDOM: [(rng.uniform(0, height), rng.uniform(0, width)) for _ in proposals.anchors],
        ATTENTION: _centres(proposals),
    }
    boxes = [_random_box(rng, each, proposals.size) for some in centres.values() for each in some]
    masks = torch.stack([box.mask(height, width) for box in boxes])
    painted = {}
    for strength in strengths:
        settings = replace(inpainter.defaults, strength=strength)
        made = paint_regions(task, picture, masks, inpainter, settings, noise=noise)
        for place, group in enumerate(centres):
            its = slice(place * len(proposals.anchors), (place + 1) * len(proposals.anchors))
            painted[at_strength(group, strength)] = (made[0][its], made[1][its])
    return painted


def _paint_segmented(
    task: RegionTask, picture: Tensor, inpainter: Inpainter, bench: Bench, *, noise: int
) -> dict[str, tuple[Tensor, Tensor]]:
    """The edit in the segmenter's mask of the words that change."""
    found = SegmentedRegions(bench.segmenter, GROWN).find([task.request], [torch.Generator()])
    masks = torch.stack([mask_to_tensor(each) for each in found])
    return {
        SEGMENTER: paint_regions(task, picture, masks, inpainter, inpainter.defaults, noise=noise)
    }


def paint_regions(
    task: RegionTask,
    picture: Tensor,
    masks: Tensor,
    inpainter: Inpainter,
    settings: InpaintSettings,
    *,
    noise: int,
) -> tuple[Tensor, Tensor]:
    """Masks (n, 1, h, w) and the edits of a task that are painted in them, from equal noise."""
    count = len(masks)
    source = picture.expand(count, -1, -1, -1)
    prompts, drawn = [task.prompt] * count, same_noise(noise, count)
    edits = inpainter.inpaint(source, masks, prompts, drawn, settings=settings)
    return masks, keep_alike(source, edits.cpu(), below=LearnedRegionSettings().keep_below)


def _centres(proposals: Proposals) -> list[tuple[float, float]]:
    return [each.centre(grid=proposals.grid, size=proposals.size) for each in proposals.anchors]


def _random_box(
    rng: np.random.Generator, centre: tuple[float, float], size: tuple[int, int]
) -> Box:
    """A rectangle around a point with sides uniform in [0, H] and [0, W], cut off at the border."""
    down, across = (rng.uniform(0, side) / 2 for side in size)
    return Box.around(centre, (down, across), size=size)


def _on_thing(task: RegionTask, proposals: Proposals) -> list[bool]:
    """Whether each anchor's patch has its middle on the thing that is edited."""
    return [bool(task.mask[int(y), int(x)]) for y, x in _centres(proposals)]


def weigh(
    task: RegionTask,
    masks: Tensor,
    edits: Tensor,
    worths: Mapping[str, Worth],
    judge: Judge,
) -> dict[str, Tensor]:
    """All numbers of some edits of a task, which are worth so much in each way of judging."""
    found: dict[str, Tensor] = {}
    for name, worth in worths.items():
        found |= {
            f"clip_{name}": worth.clip,
            f"structure_{name}": worth.structure,
            f"direction_{name}": worth.direction,
            f"score_{name}": worth.score,
        }
    verdicts = judge_edits(task, edits, judge)
    found |= {"edited": verdicts.edited, "both": verdicts.both, "error": verdicts.error}
    thing = task.mask.float()
    other = task.other.float()
    inside = masks[:, 0]
    return found | {
        "covers": (inside * thing).sum((1, 2)) / thing.sum(),
        "covers_other": (inside * other).sum((1, 2)) / other.sum().clamp_min(1),
        "area": inside.mean((1, 2)),
    }


Pick = Callable[[Row], tuple[str, int]]
"""Which edit a rule keeps of a task: the group, and its number in it."""
