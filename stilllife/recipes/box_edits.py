"""Edits of pictures with one thing, in boxes around it: what inpainting is measured by."""

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from stilllife.edits import judge_edit
from stilllife.judge import Judge
from stilllife.recipes.collection import Collection, to_input
from stilllife.scene import PICTURE_SIZE, Scene
from stilllife.words import COLOURS, FAMILIES, SIZES, family_of

KINDS = ("colour", "noun", "size")
"""What an edit changes, in the order in which pictures take turns."""

MARGIN_PX = 6
"""How far a box reaches beyond the thing, to either side of its longer one: a thing that is to be
large finds room there."""


@dataclass(frozen=True)
class BoxEdits:
    """One edit a picture: `pictures` (n, 3, 64, 64) in [-1, 1], `boxes` (n, 1, 64, 64), 1 inside.

    `things` are the masks of what is edited, shaped as the boxes; `scenes` the pictures' truth,
    `prompts` what is wanted and `kinds` what changes of it.
    """

    pictures: torch.Tensor
    boxes: torch.Tensor
    things: torch.Tensor
    scenes: tuple[Scene, ...]
    prompts: tuple[str, ...]
    kinds: tuple[str, ...]


def draw_edits(collection: Collection, *, seed: int) -> BoxEdits:
    """An edit of every picture of a collection with one thing in each: colour, noun, size in turn.

    Nouns change within their family, as the lexicon changes them.
    """
    rng = np.random.default_rng(seed)
    scenes = tuple(collection.scene(index) for index in range(len(collection)))
    kinds = tuple(KINDS[index % len(KINDS)] for index in range(len(collection)))
    prompts = [_change(scene, kind, rng) for scene, kind in zip(scenes, kinds, strict=True)]
    things = torch.from_numpy(collection.regions > 0).unsqueeze(1).float()
    return BoxEdits(
        pictures=to_input(collection.pixels),
        boxes=torch.stack([box_around(thing, MARGIN_PX) for thing in things]),
        things=things,
        scenes=scenes,
        prompts=tuple(prompts),
        kinds=kinds,
    )


def _change(scene: Scene, kind: str, rng: np.random.Generator) -> str:
    """The caption of the scene with another noun, colour or size."""
    thing = scene.things[0]
    values = {"colour": COLOURS, "noun": FAMILIES[family_of(thing.noun)], "size": SIZES}[kind]
    others = [value for value in values if value != getattr(thing, kind)]
    chosen: dict[str, Any] = {kind: others[rng.integers(len(others))]}
    changed = dataclasses.replace(thing, **chosen)
    return dataclasses.replace(scene, things=(changed,)).caption()


def box_around(thing: torch.Tensor, margin_px: int) -> torch.Tensor:
    """The square around what is 1 in `thing` (1, 64, 64), `margin_px` beyond its longer side."""
    places = thing[0].nonzero()
    ends = [(int(where.min()), int(where.max()) + 1) for where in places.T]
    half = max(high - low for low, high in ends) / 2 + margin_px
    box = torch.zeros(1, PICTURE_SIZE, PICTURE_SIZE)
    spans = []
    for low, high in ends:
        middle = (low + high) / 2
        spans.append(slice(max(0, round(middle - half)), round(middle + half)))
    box[0, spans[0], spans[1]] = 1
    return box


def edits_right(judge: Judge, made: torch.Tensor, edits: BoxEdits) -> dict[str, float]:
    """Share of edits that are right by what they change, and of `all`; and the error outside.

    Right is the edited attribute and all others, `edited` and `kept` the one and the others.
    `error_outside` is the mean over edits of the root mean squared difference from the source
    outside of the thing as it was, of values in [0, 1].
    """
    kept = 1 - edits.things
    square = ((made - edits.pictures) / 2).square().mean(1, keepdim=True) * kept
    error = (square.flatten(1).sum(1) / kept.flatten(1).sum(1)).sqrt().mean().item()
    right: dict[str, list[bool]] = {}
    readings = judge.read(made)
    for reading, scene, prompt, kind in zip(
        readings, edits.scenes, edits.prompts, edits.kinds, strict=True
    ):
        verdict = judge_edit(reading, scene, prompt)
        for name, is_right in (
            (kind, verdict.both),
            ("all", verdict.both),
            ("edited", verdict.edited),
            ("kept", verdict.kept),
        ):
            right.setdefault(name, []).append(is_right)
    shares = {name: sum(found) / len(found) for name, found in right.items()}
    return shares | {"error_outside": error}
