"""Flags that the editors' commands share, and what they are turned into."""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from editing.choices import DTYPES
from pipelines.terminal.arguments import whole_number
from pipelines.terminal.console import EXIT_USAGE, CommandError
from pipelines.terminal.editor_models import model_of
from transforms.models.spec import ModelSpec
from transforms.presets import Preset

if TYPE_CHECKING:
    from editing.diffusion.sampling import Sampling
    from editing.regions.segmented import MaskUse


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
            "pip install 'pairloom[editing]'"
        ) from error


def add_strength_flag(parser: argparse.ArgumentParser) -> None:
    """`--strength`."""
    parser.add_argument("--strength", type=float, default=0.7, help="in (0, 1] (default 0.7)")


def add_sampling_flags(parser: argparse.ArgumentParser) -> None:
    """`--guidance-scale`, `--steps`, `--device` and `--dtype`."""
    parser.add_argument("--guidance-scale", type=float, default=7.5, help="default 7.5")
    parser.add_argument("--steps", type=whole_number(1), default=50, help="default 50")
    parser.add_argument("--device", default="cpu", help="torch device (default cpu)")
    parser.add_argument(
        "--dtype",
        choices=DTYPES,
        help="precision of the diffusion model's weights (default: the preset's, else float32)",
    )


def read_model(arguments: argparse.Namespace, preset: Preset) -> ModelSpec | None:
    """The diffusion model that `--method`, `--model`, `--device` and `--dtype` ask for.

    Raises:
        CommandError: none is named; see `model_of`.
    """
    return model_of(
        arguments.method,
        preset,
        model=arguments.model,
        device=arguments.device,
        dtype=arguments.dtype,
    )


def add_mask_flags(parser: argparse.ArgumentParser) -> None:
    """`--mask-grow` and `--paste`."""
    parser.add_argument(
        "--mask-grow",
        type=float,
        default=0.0,
        metavar="SHARE",
        help="how far a mask that is found reaches beyond what it is of, of the shorter side "
        "(default 0; 0.05 leaves room for another outline)",
    )
    parser.add_argument(
        "--paste", action="store_true", help="put untouched pixels back outside the mask"
    )


def read_mask_use(arguments: argparse.Namespace) -> "MaskUse":
    """What to make of masks, from the flags of `add_mask_flags`.

    Raises:
        CommandError: a value that breaks a rule.
    """
    from editing.regions.segmented import MaskUse

    try:
        return MaskUse(grow=arguments.mask_grow, paste=arguments.paste)
    except ValueError as error:
        raise CommandError(str(error), exit_code=EXIT_USAGE) from error


def read_sampling(arguments: argparse.Namespace, *, strength: float) -> "Sampling":
    """How to edit at `strength`, from the flags of `add_sampling_flags`.

    Raises:
        CommandError: a value that breaks a rule.
    """
    from editing.diffusion.sampling import Sampling

    try:
        return Sampling(
            strength=strength,
            guidance_scale=arguments.guidance_scale,
            num_inference_steps=arguments.steps,
        )
    except ValueError as error:
        raise CommandError(str(error), exit_code=EXIT_USAGE) from error
