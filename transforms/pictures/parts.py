"""How many parts a picture file may be made of, and what a look at them tells."""

from dataclasses import dataclass

from transforms.pictures.limits import PictureError

MAX_PARTS = 100_000
"""Chunks, segments, strips or tags of one file; more than ten times what large pictures have.

Pillow reads each in Python, some microseconds long."""


@dataclass(frozen=True)
class Claims:
    """What a file says of itself.

    `scans` and `frames` are counts; `pixels` is the room a decoder makes beyond the picture's own
    size, 0 where there is none; `passes` is how often, at most, decoding goes over the picture.
    """

    scans: int = 1
    frames: int = 1
    pixels: int = 0
    passes: int = 1


def too_much(what: str) -> PictureError:
    """The error of a file whose parts are out of proportion."""
    return PictureError("too_much_metadata", f"the file holds {what}")


def check_parts(count: int, what: str) -> None:
    """Refuses a file with more than `MAX_PARTS` parts.

    Raises:
        PictureError: there are more.
    """
    if count > MAX_PARTS:
        raise too_much(f"more than {MAX_PARTS} {what}")
