"""What edits of one source are worth: every loss and the score, from their pictures."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from editing.editors.learned_regions.losses import (
    LossWeights,
    Vector,
    clip_loss,
    direction_loss,
    quality_score,
    structure_loss,
    total_loss,
)
from editing.features.clip import PatchClipSpace, Tokens
from editing.tensors import Embeddings, PerExample, PictureBatch
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


@dataclass(frozen=True, eq=False, kw_only=True)
class EditJudge:
    """Judges edits of one source by CLIP; gradients pass to their pictures."""

    clip: PatchClipSpace
    source: Vector
    source_tokens: Tokens
    target: Vector
    phrase: Vector
    weights: LossWeights

    def __call__(self, edits: PictureBatch) -> Worth:
        """What `edits` in [-1, 1], of the source's size, are worth."""
        embeddings, tokens = self.clip.embed_with_tokens(make_square(edits))
        return self.weigh(embeddings, tokens)

    def weigh(self, embeddings: Embeddings, tokens: Tokens) -> Worth:
        """What edits with these embeddings and tokens are worth."""
        clip = clip_loss(embeddings, self.target)
        structure = structure_loss(tokens, self.source_tokens)
        direction = direction_loss(embeddings, self.source, self.target, self.phrase)
        return Worth(
            clip=clip,
            structure=structure,
            direction=direction,
            loss=total_loss(clip, structure, direction, self.weights),
            score=quality_score(embeddings, self.source, self.target),
        )


@torch.no_grad()
def make_judge(
    clip: PatchClipSpace,
    source: PictureBatch,
    *,
    prompt: str,
    phrase: str,
    weights: LossWeights,
) -> EditJudge:
    """The judge of edits of `source`, one picture, towards `prompt`; `phrase` is T_ROI."""
    embedding, tokens = clip.embed_with_tokens(make_square(source))
    target, roi = clip.embed_texts([prompt, phrase]).chunk(2)
    return EditJudge(
        clip=clip,
        source=embedding,
        source_tokens=tokens,
        target=target,
        phrase=roi,
        weights=weights,
    )


def make_square(pictures: PictureBatch) -> Float[Tensor, "b 3 side side"]:
    """Pictures squeezed to a square of their shorter side, where they are none.

    CLIP's own processing cuts the middle out, and would not see what is edited beside it.
    """
    height, width = pictures.shape[-2:]
    if height == width:
        return pictures
    side = min(height, width)
    return F.interpolate(pictures, size=(side, side), mode="bicubic", antialias=True).clamp(-1, 1)


def judge_in_parts(judge: EditJudge, edits: PictureBatch, *, at_once: int) -> Worth:
    """What edits are worth, looked at so many at a time, without gradients."""
    with torch.no_grad():
        parts = [judge(some) for some in edits.split(at_once)]
    return join_worths(parts)


def join_worths(parts: Sequence[Worth]) -> Worth:
    """One record of several."""
    names = ("clip", "structure", "direction", "loss", "score")
    return Worth(**{name: torch.cat([getattr(part, name) for part in parts]) for name in names})
