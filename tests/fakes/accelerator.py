"""Accelerate made new: it remembers how it was first set up, for as long as the process lives."""

from accelerate.state import AcceleratorState


def forget_accelerator() -> None:
    """Lets the next accelerator be set up as if it were the first."""
    AcceleratorState._reset_state(True)
