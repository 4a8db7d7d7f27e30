"""Edits of pictures with one thing, in boxes around it: what inpainting is measured by."""

from dataclasses import dataclass

import numpy as np
import torch

from stilllife.edits import changed_attributes, judge_edit
from stilllife.judge import Judge
from stilllife.recipes.boxes import thing_boxes
from stilllife.recipes.collection import Collection, to_input
from stilllife.scene import Scene
from stilllife.truth import possible_edits

KINDS = ("colour", "noun", "size")
"""What an edit changes, in the order in which pictures take turns."""

MARGIN = 6
"""Pixels by which the box that is painted is larger than the thing, on all sides: a thing that is
to be large finds room there."""


@dataclass(frozen=True, eq=False)
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

    def __len__(self) -> int:
        return len(self.prompts)


def draw_edits(collection: Collection, *, seed: int, margin: int = MARGIN) -> BoxEdits:
    """An edit of every picture of a collection with one thing in each: colour, noun, size in turn.

    The boxes are the things' own, larger by `margin` pixels on all sides.
    """
    rng = np.random.default_rng(seed)
    scenes = tuple(collection.scene(index) for index in range(len(collection)))
    kinds = tuple(KINDS[index % len(KINDS)] for index in range(len(collection)))
    things = torch.from_numpy(collection.regions > 0)
    return BoxEdits(
        pictures=to_input(collection.pixels),
        boxes=thing_boxes(things, margin=margin),
        things=things.unsqueeze(1).float(),
        scenes=scenes,
        prompts=tuple(_change(*each, rng) for each in zip(scenes, kinds, strict=True)),
        kinds=kinds,
    )


def _change(scene: Scene, kind: str, rng: np.random.Generator) -> str:
    """The caption of the scene with another noun, colour or size."""
    prompts = [
        prompt
        for prompt in possible_edits(scene)
        if changed_attributes(scene, prompt).keys() == {f"first.{kind}"}
    ]
    return prompts[rng.integers(len(prompts))]


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
