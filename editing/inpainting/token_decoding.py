"""Decoding of hidden codes, the surest first (Chang et al. 2022, section 3.3): pure functions."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from editing.diffusion.settings import steps_left_out
from editing.finite import require_finite_rows
from editing.inpainting.token_model import Cells, CodeLogits, Codes
from editing.tensors import MaskBatch


@dataclass(frozen=True, kw_only=True)
class Chance:
    """How much is left to chance.

    `order` is the temperature of the Gumbel noise on which of the codes are surest, falling to none
    at the last step; `codes`, above 0, is what logits are divided by: below 1 likely codes become
    likelier than the transformer says.
    """

    order: float
    codes: float

    def __post_init__(self) -> None:
        if not 0 <= self.order < math.inf:
            raise ValueError(f"order_temperature must be at least 0 and finite, got {self.order}")
        if not 0 < self.codes < math.inf:
            raise ValueError(f"code_temperature must be above 0 and finite, got {self.codes}")


Predict = Callable[[Codes, Cells], CodeLogits]
"""What the codes are likely to be, by them and by which of them are hidden."""


def touched_cells(masks: MaskBatch, cell: int) -> Cells:
    """The cells of `cell` x `cell` pixels that a mask touches.

    All of them, though the picture is cut at the mask's own pixels: a cell of which little is to be
    painted would show there what the source has, the rest of the thing that is to change.
    """
    return F.max_pool2d(masks, cell)[:, 0] > 0.5


def hidden_share(step: int, steps: int) -> float:
    """The share of the codes that are hidden before `step`, counted from 0: 1 at first, 0 at last.

    Along a cosine, as MaskGIT: few codes are told while little is known.
    """
    return math.cos(math.pi / 2 * step / steps) if step < steps else 0.0


def hide_some(cells: Cells, generators: Sequence[torch.Generator], *, share: float) -> Cells:
    """Of each row's `cells` a random share, at least one where there are any."""
    if share >= 1:
        return cells
    hidden = torch.zeros_like(cells)
    for row, generator in enumerate(generators):
        places = cells[row].flatten().nonzero()[:, 0]
        order = torch.randperm(len(places), generator=generator).to(places.device)
        chosen = places[order[: math.ceil(share * len(places))]]
        hidden[row].view(-1)[chosen] = True
    return hidden


def decode_codes(
    predict: Predict,
    codes: Codes,
    cells: Cells,
    generators: Sequence[torch.Generator],
    *,
    strength: float,
    num_inference_steps: int,
    chance: Chance,
    on_step: Callable[[], None],
) -> Codes:
    """The codes with those of `cells` told anew, in the steps that `strength` leaves.

    In each step a code is drawn for every hidden cell, and those that are surest stay. A random
    share of the cells keeps its code from the beginning where strength is below 1.

    Raises:
        NotFiniteError: `predict` gave infinite numbers, or none, for those at its `places`.
    """
    first = steps_left_out(strength, num_inference_steps)
    hidden = hide_some(cells, generators, share=hidden_share(first, num_inference_steps))
    codes, hidden = codes.clone(), hidden.clone()
    totals = cells.flatten(1).sum(1).tolist()
    for step in range(first, num_inference_steps):
        if bool(hidden.any()):
            logits = predict(codes, hidden)
            require_finite_rows(logits, where=f"at step {step - first + 1}")
            share = hidden_share(step + 1, num_inference_steps)
            noise = chance.order * (1 - (step + 1) / num_inference_steps)
            for row, generator in enumerate(generators):
                where = hidden[row].clone()
                drawn, unsure = tell_codes(
                    logits[row][where] / chance.codes,
                    generator,
                    unsure=math.floor(totals[row] * share),
                    temperature=noise,
                )
                codes[row][where] = drawn
                hidden[row][where] = unsure
        on_step()
    return codes


def tell_codes(
    logits: Float[Tensor, "n codes"],
    generator: torch.Generator,
    *,
    unsure: int,
    temperature: float,
) -> tuple[Int[Tensor, " n"], Bool[Tensor, " n"]]:
    """A code drawn for each of n hidden cells, and which of the cells stay hidden.

    `unsure` stay, those whose code was least likely, or all but one where there are fewer; with
    Gumbel noise of `temperature` on the logarithm of the probability. The generator is the CPU's.
    """
    count = len(logits)
    chances = logits.softmax(-1).cpu()
    drawn = draw_codes(chances, generator)
    likely = chances.gather(1, drawn[:, None])[:, 0].clamp(min=1e-20).log()
    noise = torch.rand(count, generator=generator).clamp(1e-20, 1 - 1e-7)
    likely = likely - temperature * (-noise.log()).log()
    stay = torch.zeros(count, dtype=torch.bool)
    stay[likely.argsort(stable=True)[: max(0, min(unsure, count - 1))]] = True
    return drawn.to(logits.device), stay.to(logits.device)


def draw_codes(chances: Float[Tensor, "n codes"], generator: torch.Generator) -> Int[Tensor, " n"]:
    """A code for each cell by its chances, one random number each."""
    reached = chances.cumsum(-1)
    goal = torch.rand(len(chances), 1, generator=generator) * reached[:, -1:]
    return (reached <= goal).sum(-1).clamp(max=chances.shape[-1] - 1)
