"""Flags that several commands share, and what they are turned into."""

import argparse
import math
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from indexes.storage.errors import StorageError
from indexes.storage.paths import as_path, is_stored
from pipelines.terminal.console import EXIT_USAGE, CommandError

JSON_HELP = "end with one line of JSON on stdout"


MOST_SEED = 2**64 - 1
"""The largest seed that torch takes."""


def whole_number(least: int, most: int | None = None) -> Callable[[str], int]:
    """An argparse type: a whole number of at least `least`, and at most `most`."""

    def convert(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"must be a whole number, got {text!r}") from None
        if number < least:
            raise argparse.ArgumentTypeError(f"must be at least {least}, got {number}")
        if most is not None and number > most:
            raise argparse.ArgumentTypeError(f"must be at most {most}, got {number}")
        return number

    return convert


def finite_number(text: str) -> float:
    """An argparse type: a number that is neither infinite nor NaN."""
    try:
        number = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a number, got {text!r}") from None
    if not math.isfinite(number):
        raise argparse.ArgumentTypeError(f"must be a finite number, got {text!r}")
    return number


def positive_number(text: str) -> float:
    """An argparse type: a finite number above 0."""
    number = finite_number(text)
    if number <= 0:
        raise argparse.ArgumentTypeError(f"must be above 0, got {text!r}")
    return number


def any_path(text: str) -> Path:
    """An argparse type: a path, on this machine or on a store."""
    try:
        return as_path(text)
    except StorageError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def existing_folder(text: str) -> Path:
    """An argparse type: a folder that is there, on this machine or on a store."""
    path = any_path(text)
    if not path.is_dir():
        raise argparse.ArgumentTypeError(f"must be an existing folder, got {text!r}")
    return path


def local_path(text: str) -> Path:
    """An argparse type: a path on this machine, for what is neither read nor written on stores."""
    path = any_path(text)
    if is_stored(path):
        raise argparse.ArgumentTypeError(f"must be on this machine, got {text!r}")
    return path


def require_file_place(flag: str, path: Path) -> None:
    """Makes sure that a file can be put at `path`, the value of `flag`, before it is worked for.

    On a store nothing is asked: folders are made there, or are only names.

    Raises:
        CommandError: it is a folder, or its folder is not there or cannot be written into.
    """
    if path.is_dir():
        raise CommandError(f"{flag} must be a file, got the folder {path}")
    if is_stored(path):
        return
    if not path.parent.is_dir():
        raise CommandError(f"{flag} must lie in a folder that is there, got {path}")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise CommandError(f"{flag} {path}: the folder cannot be written into")


def refuse_inside(flag: str, folder: str | Path, *sources: Mapping[str, object]) -> None:
    """Makes sure that `folder`, the value of `flag`, lies outside the folders of `sources`.

    What lies inside would be read as pictures. `sources` are as `Source.describe` gives them; links
    are followed.

    Raises:
        CommandError: it lies inside one of them, or is it.
    """
    place = as_path(folder).resolve()
    for source in sources:
        path = source.get("path")
        if isinstance(path, str) and place.is_relative_to(as_path(path).resolve()):
            raise CommandError(
                f"{flag} must lie outside the pictures in {path}, got {folder}",
                exit_code=EXIT_USAGE,
            )


def choices(names: Sequence[str]) -> str:
    """`a, b or c`, for help texts."""
    return ", ".join(names[:-1]) + f" or {names[-1]}"
