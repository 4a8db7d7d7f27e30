"""Numbers of a model, made sure to be finite: else there is an error, never a black picture."""

import torch
from jaxtyping import Float
from torch import Tensor

from editing.errors import NotFiniteError


def not_finite(where: str, places: tuple[int, ...] = ()) -> NotFiniteError:
    """The error of a model that gave no numbers; `where` says which those are."""
    return NotFiniteError(
        "the model gave no finite numbers; try another dtype, or a smaller guidance_scale "
        f"({where})",
        places,
    )


def broken_rows(values: Float[Tensor, "b ..."]) -> tuple[int, ...]:
    """The rows of a batch that hold infinite numbers, or none."""
    finite = torch.isfinite(values).flatten(1).all(1).tolist()
    return tuple(row for row, good in enumerate(finite) if not good)


def require_finite_rows(values: Float[Tensor, "b ..."], *, where: str) -> None:
    """Make sure that a model gave numbers for all of a batch.

    Raises:
        NotFiniteError: it did not for those at its `places`.
    """
    rows = broken_rows(values)
    if rows:
        raise not_finite(where, rows)


def require_some_finite(values: Float[Tensor, "b ..."], *, where: str) -> None:
    """Make sure that there is anything left in a batch to go on for.

    What is broken stays in its row: no network looks from one into another.

    Raises:
        NotFiniteError: every row is broken.
    """
    rows = broken_rows(values)
    if rows and len(rows) == len(values):
        raise not_finite(where, rows)
