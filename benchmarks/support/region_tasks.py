"""Edits of still lifes that nobody trained on, for the editors that look for regions themselves."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image

from editing.evaluation.similarity import background_error
from editing.pictures import picture_to_tensor
from editing.requests import Request
from editing.tensors import PictureBatch
from stilllife.edits import edited_thing, judge_edit
from stilllife.judge import Judge
from stilllife.render import render
from stilllife.scene import Scene
from stilllife.truth import PictureId, attribute_of, possible_edits

KINDS = ("colour", "noun", "size")
BACKGROUND = "background"
FIRST_SEED = 910_000
"""Pictures of collections from here on are trained on nowhere, and judged by nobody else."""


@dataclass(frozen=True, eq=False, kw_only=True)
class RegionTask:
    """One edit that is asked for, with its truth.

    `image` is the source, `caption` what it shows, `prompt` what the edit shall show; the words
    `source_phrase` become `target_phrase`, of the thing number `thing` from the left, None for the
    background. `mask` is the true mask of what changes, bool (64, 64), `other` that of all other
    things, empty where there is none. `pseudo_target` is a real picture that stands for the result.
    """

    key: str
    kind: str
    scene: Scene
    image: Image.Image
    mask: torch.Tensor
    other: torch.Tensor
    thing: int | None
    caption: str
    prompt: str
    source_phrase: str
    target_phrase: str
    pseudo_target: Image.Image | None = None

    @property
    def request(self) -> Request:
        """The edit as editors and region finders are asked for it."""
        return Request(
            image=self.image,
            prompt=self.prompt,
            source_prompt=self.caption,
            mask_phrase=self.source_phrase,
            pseudo_target_image=self.pseudo_target,
        )


def draw_tasks(
    seed: int, count: int, *, things: int = 1, kinds: Sequence[str] = KINDS
) -> list[RegionTask]:
    """`count` edits of pictures with one thing or with two, their kinds in turn.

    Every picture shows a combination of noun, colour and size that no network of the world was
    trained on. It has one edit: its prompt is drawn from all that change one attribute of a kind.
    Pictures that have none of the kind whose turn it is are left out.
    """
    percent = 0 if things == 1 else 100
    tasks: list[RegionTask] = []
    for index in itertools.count():
        if len(tasks) == count:
            return tasks
        key = PictureId(FIRST_SEED + seed, percent, index)
        scene = key.scene()
        if not scene.held_out:
            continue
        rng = np.random.default_rng([seed, index, things])
        kind = kinds[len(tasks) % len(kinds)]
        prompts = [each for each in possible_edits(scene) if _kind(scene, each) == kind]
        if prompts:  # two things can be all the nouns of a family
            tasks.append(_task(key.key, kind, scene, prompts[rng.integers(len(prompts))]))
    raise AssertionError("there are always more pictures")


def _changed(scene: Scene, prompt: str) -> tuple[str, str]:
    before, after = scene.caption().split(), prompt.split()
    (pair,) = [(a, b) for a, b in zip(before, after, strict=True) if a != b]
    return pair


def _kind(scene: Scene, prompt: str) -> str:
    return attribute_of(_changed(scene, prompt)[1])


def _task(key: str, kind: str, scene: Scene, prompt: str) -> RegionTask:
    drawn = render(scene)
    thing = edited_thing(scene, prompt)
    before, after = _changed(scene, prompt)
    masks = [mask > 127 for mask in drawn.masks]
    if thing is None:
        of, changes, others = f" {BACKGROUND}", ~np.logical_or.reduce(masks), masks
    else:
        of = "" if kind == "noun" else f" {scene.things[thing].noun}"
        changes, others = masks[thing], [mask for n, mask in enumerate(masks) if n != thing]
    return RegionTask(
        key=key,
        kind=kind,
        scene=scene,
        image=Image.fromarray(drawn.pixels),
        mask=torch.from_numpy(changes),
        other=torch.from_numpy(np.logical_or.reduce([np.zeros_like(changes), *others])),
        thing=thing,
        caption=scene.caption(),
        prompt=prompt,
        source_phrase=before + of,
        target_phrase=after + of,
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class Verdicts:
    """What edits of one task truly are, a number each.

    `edited` 1 where the attribute that was asked for is right, `both` where all others are too;
    `error` what is changed outside of the true thing (`true_background_error`).
    """

    edited: torch.Tensor
    both: torch.Tensor
    error: torch.Tensor


def judge_edits(task: RegionTask, edits: PictureBatch, judge: Judge) -> Verdicts:
    """The verdicts on edits of a task in [-1, 1], as 8-bit pictures show them."""
    shown = (((edits.clamp(-1, 1) + 1) * 127.5).round() / 127.5) - 1
    verdicts = [judge_edit(reading, task.scene, task.prompt) for reading in judge.read(shown)]
    source = picture_to_tensor(task.image).expand_as(shown)
    mask = task.mask.float().expand(len(shown), 1, -1, -1)
    return Verdicts(
        edited=torch.tensor([float(each.edited) for each in verdicts]),
        both=torch.tensor([float(each.both) for each in verdicts]),
        error=background_error(shown, source, mask),
    )


def count_kinds(tasks: Sequence[RegionTask]) -> dict[str, int]:
    """How many edits of each kind there are."""
    return {kind: sum(task.kind == kind for task in tasks) for kind in KINDS}
