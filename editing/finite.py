"""Numbers of a model, made sure to be finite: else there is an error, never a black picture."""

import torch
from torch import Tensor

from editing.errors import NotFiniteError


def require_finite(values: Tensor, *, where: str) -> None:
    """Make sure that a model gave numbers; `where` says in the error which those are.

    Raises:
        NotFiniteError: one of them is infinite or not a number.
    """
    if not bool(torch.isfinite(values).all()):
        raise NotFiniteError(
            "the model gave no finite numbers; try another dtype, or a smaller guidance_scale "
            f"({where})"
        )
