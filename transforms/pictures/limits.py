"""What a picture may cost: the limits a source sets for its pictures, and what is said beyond them.

A picture is judged once, where it comes in: by `normalise`, with the limits of its source. What
`normalise` made is not judged again by later stages.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace

from indexes.errors import PairloomError

PILLOW_MAX_PIXELS = 178_956_970
"""Pillow itself refuses to open anything above this many pixels."""

REASONS = (
    "empty_file",
    "too_large_file",
    "not_an_image",
    "unsupported_format",
    "unsupported_depth",
    "too_many_pixels",
    "too_small",
    "too_elongated",
    "too_many_scans",
    "too_many_frames",
    "too_much_metadata",
    "decoding_deadline",
    "decoder_died",
    "truncated",
    "broken_data",
)
"""Every `PictureError.reason`."""

_ALWAYS_DESCRIBED = ("max_pixels", "max_bytes", "min_side")


class PictureError(PairloomError):
    """Bytes that are no usable picture: `reason` is one of `REASONS`, `detail` a line to show."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail

    def __reduce__(self) -> tuple[type["PictureError"], tuple[str, str]]:
        """Errors cross process borders; the default would call the class with one argument."""
        return PictureError, (self.reason, self.detail)


@dataclass(frozen=True)
class PictureLimits:
    """What is let in; the counts are read from the bytes before a pixel is decoded.

    | field | what it bounds |
    |---|---|
    | `max_pixels` | width x height, at most what Pillow itself opens |
    | `max_bytes` | bytes of the file |
    | `min_side` | the shorter side, in pixels, from below |
    | `max_aspect` | the longer side in shorter sides |
    | `max_scans` | passes over a JPEG; a progressive one of a camera or program has about 10 |
    | `max_frames` | frames or pages of a file, of which the first is the picture |
    | `deadline_s` | seconds of computing that decoding one picture may take |

    The deadline is a net beneath the others, which do not depend on the machine: a decoder that
    runs into it is ended.

    Raises:
        ValueError: a count is no whole number >= 1, or too large; a deadline that is not above 0.
    """

    max_pixels: int = 50_000_000
    max_bytes: int = 50_000_000
    min_side: int = 16
    max_aspect: int = 50
    max_scans: int = 100
    max_frames: int = 10_000
    deadline_s: float = 60

    def __post_init__(self) -> None:
        for name in _COUNTS:
            value = getattr(self, name)
            if type(value) is not int or value < 1:
                raise ValueError(f"{name} must be a whole number >= 1, got {value!r}")
        if self.max_pixels > PILLOW_MAX_PIXELS:
            raise ValueError(f"max_pixels must be <= {PILLOW_MAX_PIXELS}, got {self.max_pixels}")
        deadline = self.deadline_s
        if type(deadline) not in (int, float) or not 0 < deadline <= _LONGEST_DEADLINE_S:
            raise ValueError(
                f"deadline_s must be a number in (0, {_LONGEST_DEADLINE_S}], got {deadline!r}"
            )

    def describe(self) -> dict[str, object]:
        """The limits as plain data; those that came later only where they differ from the default.

        Descriptions are hashed, and those of earlier releases hold three limits.
        """
        return {
            name: value
            for name, value in asdict(self).items()
            if name in _ALWAYS_DESCRIBED or value != getattr(DEFAULT_LIMITS, name)
        }


_LONGEST_DEADLINE_S = 86_400
LIMITS = tuple(field.name for field in fields(PictureLimits))
"""The names of all limits."""
_COUNTS = tuple(name for name in LIMITS if name != "deadline_s")

DEFAULT_LIMITS = PictureLimits()
STORED_LIMITS = PictureLimits(
    max_pixels=PILLOW_MAX_PIXELS, max_bytes=2**31 - 1, min_side=1, max_aspect=PILLOW_MAX_PIXELS
)
"""For the pictures of a finished data set: what its source let in is not judged again."""


def stored_limits(*descriptions: Mapping[str, object]) -> PictureLimits:
    """The limits for reading the pictures of a data set that came from the sources so described.

    `descriptions` are what `Source.describe` gave, out of a manifest that anybody may have written:
    they can let in pictures that cost more scans or seconds to decode, as the sources did, and what
    makes no sense in them is passed over. Size, shape and bytes are those of `STORED_LIMITS`, for
    `normalise` writes larger files than it reads, and Pillow has its own bound.
    """
    limits = STORED_LIMITS
    for description in descriptions:
        given = description.get("limits")
        values = given if isinstance(given, Mapping) else {}
        for name in ("max_scans", "max_frames", "deadline_s"):
            if name in values:
                limits = _widen(limits, name, values[name])
    return limits


def _widen(limits: PictureLimits, name: str, value: object) -> PictureLimits:
    try:
        wider = replace(limits, **{name: value})  # type: ignore[arg-type]
    except ValueError:
        return limits
    return wider if getattr(wider, name) > getattr(limits, name) else limits
