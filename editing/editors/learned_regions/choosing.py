"""Which of a picture's boxes is kept: the rules, from what their edits are worth."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from editing.editors.learned_regions.judging import Worth

Probabilities = Float[Tensor, "k m"]


@dataclass(frozen=True, eq=False)
class Choice:
    """The box that is kept, as (anchor, size), and the `probabilities` (K, M) it was chosen by."""

    anchor: int
    size: int
    probabilities: Probabilities


def rank_values(worth: Worth, rank: str) -> Tensor:
    """What is smallest for the best edit: the loss (equation 3), or minus S (equation 7)."""
    return worth.loss if rank == "loss" else -worth.score


def choose_best(values: Float[Tensor, "k m"]) -> Choice:
    """The box of the smallest value; its probabilities are 1 for the best of each anchor."""
    best = values.argmin(1)
    probabilities = torch.nn.functional.one_hot(best, values.shape[1]).to(values.dtype)
    return choose_of_each(values, probabilities)


def choose_of_each(values: Float[Tensor, "k m"], probabilities: Probabilities) -> Choice:
    """Of each anchor its likeliest box, and of these the one of the smallest value."""
    likeliest = probabilities.argmax(1)
    candidates = values.gather(1, likeliest[:, None])[:, 0]
    anchor = int(candidates.argmin())
    return Choice(anchor, int(likeliest[anchor]), probabilities)
