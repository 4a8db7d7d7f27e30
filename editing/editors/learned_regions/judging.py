"""What edits of one source are worth: every loss and the score, from their pictures."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from editing.editors.learned_regions.losses import (
    Vector,
    clip_loss,
    direction_loss,
    quality_score,
    structure_loss,
    total_loss,
)
from editing.editors.learned_regions.settings import LossWeights
from editing.features.clip import PatchClipSpace, Tokens, make_square
from editing.tensors import PerExample, PictureBatch
from editing.training import alignment
from editing.training.objective import Columns


@dataclass(frozen=True, kw_only=True)
class Worth(Columns):
    """What edits are worth, a number an edit.

    `clip`, `structure` and `direction` are equations 4 to 6, `loss` their weighted sum (equation
    3), lower is better; `score` is S of equation 7, higher is better.
    """

    clip: PerExample
    structure: PerExample
    direction: PerExample
    loss: PerExample
    score: PerExample


SHIFTS = ((0, 0), (1, 1), (-1, -1), (1, -1), (-1, 1))
"""How far edits are moved down and to the right in each view, in units of `SHIFT`."""

SHIFT = 1 / 32
"""Of the shorter side of a picture."""


@dataclass(frozen=True, eq=False)
class View:
    """How CLIP sees the source when it is moved by (`down`, `right`) units of `SHIFT`."""

    down: int
    right: int
    source: Vector
    source_tokens: Tokens


@dataclass(frozen=True, eq=False, kw_only=True)
class EditJudge:
    """Judges edits of one source by CLIP, the mean over several views; gradients pass to them.

    A network has favourites among pictures that look alike to a person. They change when the
    picture is moved a little, and what an edit is worth does not.
    """

    clip: PatchClipSpace
    views: tuple[View, ...]
    target: Vector
    phrase: Vector
    weights: LossWeights

    def __call__(self, edits: PictureBatch) -> Worth:
        """What `edits` in [-1, 1], of the source's size, are worth, on the device they are on."""
        seen = [self._judge(edits, view) for view in self.views]
        mean = Worth(**{name: torch.stack(column).mean(0) for name, column in _columns(seen)})
        return mean.to(edits.device)

    def _judge(self, edits: PictureBatch, view: View) -> Worth:
        moved = move(edits, view.down, view.right)
        embeddings, tokens = self.clip.embed_with_tokens(make_square(moved))
        clip = clip_loss(embeddings, self.target)
        structure = structure_loss(tokens, view.source_tokens)
        direction = direction_loss(embeddings, view.source, self.target, self.phrase)
        return Worth(
            clip=clip,
            structure=structure,
            direction=direction,
            loss=total_loss(clip, structure, direction, self.weights),
            score=quality_score(embeddings, view.source, self.target),
        )


@torch.no_grad()
def make_judge(
    clip: PatchClipSpace,
    source: PictureBatch,
    *,
    prompt: str,
    phrase: str,
    weights: LossWeights,
    views: int = 1,
) -> EditJudge:
    """The judge of edits of `source`, one picture, towards `prompt`; `phrase` is T_ROI.

    The first `views` of `SHIFTS` are looked at.
    """
    target, roi = clip.embed_texts([prompt, phrase]).chunk(2)
    looked = tuple(
        View(down, right, *clip.embed_with_tokens(make_square(move(source, down, right))))
        for down, right in SHIFTS[:views]
    )
    return EditJudge(clip=clip, views=looked, target=target, phrase=roi, weights=weights)


def move(pictures: PictureBatch, down: int, right: int) -> PictureBatch:
    """Pictures moved by so many units of `SHIFT`; what comes in repeats the outermost pixels."""
    unit = max(1, round(min(pictures.shape[-2:]) * SHIFT))
    return alignment.move(pictures, down * unit, right * unit) if down or right else pictures


def judge_in_parts(judge: EditJudge, edits: PictureBatch, *, at_once: int) -> Worth:
    """What edits are worth, looked at so many at a time, without gradients."""
    with torch.no_grad():
        parts = [judge(some) for some in edits.split(at_once)]
    return join_worths(parts)


def with_area(worth: Worth, areas: PerExample, weight: float) -> Worth:
    """What edits in regions are worth when `weight` times a region's share is added to the loss.

    Ours: of edits that are alike to CLIP the one that leaves more of the picture alone is better.
    """
    return replace(worth, loss=worth.loss + weight * areas.to(worth.loss))


def join_worths(parts: Sequence[Worth]) -> Worth:
    """One record of several."""
    return Worth(**{name: torch.cat(column) for name, column in _columns(parts)})


def _columns(records: Sequence[Worth]) -> list[tuple[str, list[Tensor]]]:
    """Every field of some records, with what each has in it."""
    names = [field.name for field in fields(Worth)]
    return [(name, [getattr(record, name) for record in records]) for name in names]
