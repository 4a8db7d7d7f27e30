"""What shall stand where: segments of a picture, each with the phrase that says what it shows.

Layouts are read from a map, a picture whose colours are named, or from a mask file a phrase.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageColor

from editing.errors import EditError
from editing.masks import open_upright, read_mask
from editing.settings import shorten

Marks = npt.NDArray[np.bool_]
"""Of places in a picture, (height, width): whether they are marked."""

Colour = int
"""Red, green and blue in one number, as in 0xff0000."""

BACKGROUND = "black"
"""The colour of a map that stands for no segment, where nobody says another."""

MOST_SEGMENTS = 32


@dataclass(frozen=True, eq=False)
class Segment:
    """A part of a picture and the words of the prompt that say what it shows.

    `mask` is of the whole picture's size, bright (above 127) inside.

    Raises:
        EditError: no phrase, or nothing is marked.
    """

    phrase: str
    mask: Image.Image

    def __post_init__(self) -> None:
        if not self.phrase.strip():
            raise EditError("a segment must have a phrase of the prompt, got none")
        if not self.marks().any():
            raise EditError(f"the segment of {shorten(self.phrase)} is empty: it marks nothing")

    def marks(self) -> Marks:
        """Where it is."""
        marked: Marks = np.asarray(self.mask.convert("L")) > 127
        return marked


@dataclass(frozen=True, eq=False)
class Layout:
    """Segments of one picture; what none of them marks may be anything.

    Raises:
        EditError: no segments or too many, of different sizes, that overlap, or two of one phrase.
    """

    segments: tuple[Segment, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.segments) <= MOST_SEGMENTS:
            raise EditError(
                f"a layout must have 1 to {MOST_SEGMENTS} segments, got {len(self.segments)}"
            )
        seen: set[str] = set()
        taken = np.zeros(self.size[::-1], bool)
        for segment in self.segments:
            if segment.mask.size != self.size:
                raise EditError(
                    f"segments must be of one size: that of {shorten(segment.phrase)} has "
                    f"{_by(segment.mask.size)}, the first {_by(self.size)}"
                )
            words = " ".join(segment.phrase.lower().split())
            if words in seen:
                raise EditError(
                    f"segments must have different phrases, got {shorten(segment.phrase)} twice: "
                    "draw what it names as one segment"
                )
            seen.add(words)
            shared = int((taken & segment.marks()).sum())
            if shared:
                raise EditError(
                    f"segments must not overlap: that of {shorten(segment.phrase)} shares {shared} "
                    "pixels with those before it"
                )
            taken |= segment.marks()

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.segments[0].mask.size

    @property
    def phrases(self) -> tuple[str, ...]:
        """What each segment shows."""
        return tuple(segment.phrase for segment in self.segments)

    def union(self) -> Image.Image:
        """All segments as one mask: L, 255 inside."""
        return _picture(np.logical_or.reduce([each.marks() for each in self.segments]))


def read_layout_map(
    data: bytes, named: Sequence[tuple[str, str]], *, background: str | None = None
) -> Layout:
    """The layout of a map, a picture of flat colours; `named` has each with its phrase.

    Colours are CSS names or `#rrggbb`. What has the colour `background`, or is transparent, is in
    no segment; where nobody says which colour that is, it is black, unless black is named.

    Raises:
        PictureError: it is no picture that can be read.
        EditError: a colour that is none or named twice, one of the map that nobody names, or a
            named one that the map has not.
    """
    colours = _read_colours(named, background)
    found, bare = _open_map(data)
    segments = []
    left = ~bare
    for colour, phrase in colours.items():
        marked = (found == colour) & ~bare
        if phrase is not None:
            if not marked.any():
                raise EditError(
                    f"the map has nothing of {_hex(colour)}, the colour of {shorten(phrase)}"
                )
            segments.append(Segment(phrase, _picture(marked)))
        left &= ~marked
    if left.any():
        unnamed, counts = np.unique(found[left], return_counts=True)
        most = int(counts.argmax())
        more = f" and {len(unnamed) - 1} more colours" if len(unnamed) > 1 else ""
        raise EditError(
            f"every colour of the map must be named or be the background: {counts[most]} pixels "
            f"are {_hex(int(unnamed[most]))}{more}, which no segment names; draw it without soft "
            "edges"
        )
    return Layout(tuple(segments))


def read_layout_masks(files: Sequence[tuple[bytes, str]], size: tuple[int, int]) -> Layout:
    """The layout of mask files, each with its phrase, of a picture of `size`; see `editing.masks`.

    Raises:
        PictureError: a file is no picture that can be read.
        EditError: one is no mask of that picture, or they make no layout.
    """
    segments = (Segment(phrase, read_mask(data, size)) for data, phrase in files)
    return Layout(tuple(segments))


def _read_colours(
    named: Sequence[tuple[str, str]], background: str | None
) -> dict[Colour, str | None]:
    """Every colour's phrase; None for the background's."""
    if not named:
        raise EditError("a map needs a phrase for its colours, as in red=green apple")
    colours: dict[Colour, str | None] = {}
    for name, phrase in named:
        colour = _read_colour(name)
        if colour in colours:
            raise EditError(f"the colour {_hex(colour)} is named twice")
        colours[colour] = phrase
    bare = _read_colour(BACKGROUND if background is None else background)
    if bare not in colours:
        colours[bare] = None
    elif background is not None:
        raise EditError(f"the colour {_hex(bare)} is both a segment's and the background's")
    return colours


def _read_colour(name: str) -> Colour:
    try:
        red, green, blue = ImageColor.getrgb(name.strip())[:3]
    except (ValueError, AttributeError):
        raise EditError(
            f"a colour must be a CSS name or #rrggbb, such as red or #ff0000, got {shorten(name)}"
        ) from None
    return red << 16 | green << 8 | blue


def _open_map(data: bytes) -> tuple[npt.NDArray[np.int32], Marks]:
    """The colour of each of the map's pixels, as it stands upright, and where it is transparent."""
    image, _ = open_upright(data, what="map", hint="")
    rgba = np.asarray(image.convert("RGBA")).astype(np.int32)
    packed = rgba[..., 0] << 16 | rgba[..., 1] << 8 | rgba[..., 2]
    return packed, rgba[..., 3] == 0


def _picture(marked: Marks) -> Image.Image:
    return Image.fromarray(np.where(marked, np.uint8(255), np.uint8(0)))


def _hex(colour: Colour) -> str:
    return f"#{colour:06x}"


def _by(size: tuple[int, int]) -> str:
    return f"{size[0]} x {size[1]}"
