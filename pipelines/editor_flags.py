"""Flags that the editors' commands share, and what they are turned into."""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pipelines.arguments import whole_number
from pipelines.console import EXIT_USAGE, CommandError

if TYPE_CHECKING:
    from editing.sampling import Sampling


@contextmanager
def editing_extra() -> Iterator[None]:
    """Tells of the extra `editing` where the imports of the block miss one of its packages.

    Raises:
        CommandError: a package is missing.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise CommandError(
            f"this command needs the extra `editing` ({error.name} is missing): "
            "pip install 'pentimento[editing]'"
        ) from error


def add_strength_flag(parser: argparse.ArgumentParser) -> None:
    """`--strength`."""
    parser.add_argument("--strength", type=float, default=0.7, help="in (0, 1] (default 0.7)")


def add_sampling_flags(parser: argparse.ArgumentParser) -> None:
    """`--guidance-scale`, `--steps` and `--device`."""
    parser.add_argument("--guidance-scale", type=float, default=7.5, help="default 7.5")
    parser.add_argument("--steps", type=whole_number(1), default=50, help="default 50")
    parser.add_argument("--device", default="cpu", help="torch device (default cpu)")


def read_sampling(arguments: argparse.Namespace, *, strength: float) -> "Sampling":
    """How to edit at `strength`, from the flags of `add_sampling_flags`.

    Raises:
        CommandError: a value that breaks a rule.
    """
    from editing.sampling import Sampling

    try:
        return Sampling(
            strength=strength,
            guidance_scale=arguments.guidance_scale,
            num_inference_steps=arguments.steps,
        )
    except ValueError as error:
        raise CommandError(str(error), exit_code=EXIT_USAGE) from error
