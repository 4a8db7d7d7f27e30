"""The files that `edit` reads and writes: checked before any work is done."""

import os
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from indexes.storage.paths import is_stored
from pipelines.terminal.arguments import require_file_place
from pipelines.terminal.console import EXIT_USAGE, CommandError

if TYPE_CHECKING:
    from PIL import Image


def result_paths(out: Path, results: int) -> list[Path]:
    """Where results go: one to `out`, several with their rank before the suffix."""
    if results == 1:
        return [out]
    return [out.with_stem(f"{out.stem}-{rank}") for rank in range(1, results + 1)]


def check_outputs(
    results: Sequence[Path], more: Mapping[str, Path | None], *, read: Sequence[Path | None]
) -> None:
    """Makes sure that results and what else is written can be, each to a file of its own.

    `more` are pictures beside the results by their flags, None where none is wanted. `read` are the
    files that the command reads, which it does not write over.

    Raises:
        CommandError: a path that is no .png file, one that is read or written twice, or a folder
            that is not there or cannot be written into.
    """
    taken = {_place(path): path for path in read if path is not None}
    for flag, path in (*(("--out", each) for each in results), *more.items()):
        if path is None:
            continue
        if path.suffix.lower() != ".png":
            raise CommandError(f"{flag} must be a .png file, got {path}", exit_code=EXIT_USAGE)
        if _place(path) in taken:
            raise CommandError(
                f"{flag} must be another file than {taken[_place(path)]}, which it would overwrite",
                exit_code=EXIT_USAGE,
            )
        taken[_place(path)] = path
        require_file_place(flag, path)


def _place(path: Path) -> Path:
    """Where a path leads, links followed."""
    return path if is_stored(path) else Path(os.path.realpath(path))


def read_given(path: Path, *, most: int) -> bytes:
    """The bytes of a file that a person named, at most `most`.

    What is no plain file is refused, for a pipe or device may never end.

    Raises:
        CommandError: it is no plain file, or too large.
        OSError: it cannot be read.
    """
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise CommandError(f"{path} must be a plain file, got {_kind(status.st_mode)}")
    if status.st_size > most:
        raise CommandError(f"{path}: the file has {status.st_size} bytes, at most {most} are read")
    with path.open("rb") as file:
        return file.read(most)


def _kind(mode: int) -> str:
    if stat.S_ISDIR(mode):
        return "a folder"
    return "a pipe" if stat.S_ISFIFO(mode) else "a device or socket"


def read_photo(path: Path) -> "Image.Image":
    """The picture in a file, upright and RGB.

    Raises:
        CommandError: it cannot be read, or is no picture.
    """
    from transforms.pictures.decoding import DEFAULT_LIMITS, PictureError, decode

    try:
        return decode(read_given(path, most=DEFAULT_LIMITS.max_bytes))
    except PictureError as error:
        raise CommandError(f"{path}: {error}") from error


def read_mask_file(path: Path, size: tuple[int, int]) -> "Image.Image":
    """The mask in a file, of a picture of `size` (width, height); see `editing.masks`.

    Raises:
        CommandError: it cannot be read, or is no picture.
        EditError: it is no mask of that picture.
    """
    from editing.masks import read_mask
    from transforms.pictures.decoding import DEFAULT_LIMITS, PictureError

    try:
        return read_mask(read_given(path, most=DEFAULT_LIMITS.max_bytes), size)
    except PictureError as error:
        raise CommandError(f"{path}: {error}") from error


def draw_box(text: str, size: tuple[int, int]) -> "Image.Image":
    """The box that `text` names, LEFT,TOP,RIGHT,BOTTOM in pixels, as a mask of `size`.

    `size` is (width, height); the mask is L, 255 from left and top to before right and bottom.

    Raises:
        CommandError: it names no box of a picture of that size.
    """
    from PIL import Image

    rule = f"--box must be LEFT,TOP,RIGHT,BOTTOM in whole pixels, got {text!r}"
    try:
        left, top, right, bottom = map(int, text.split(","))
    except ValueError:
        raise CommandError(rule, exit_code=EXIT_USAGE) from None
    width, height = size
    if not (0 <= left < right <= width and 0 <= top < bottom <= height):
        raise CommandError(
            f"--box must hold something of the picture and lie within its {width} x {height} "
            f"pixels, got {text!r}",
            exit_code=EXIT_USAGE,
        )
    mask = Image.new("L", size)
    mask.paste(255, (left, top, right, bottom))
    return mask


def write_png(path: Path, image: "Image.Image") -> None:
    """Writes a picture, whole or not at all.

    Raises:
        OutputError: it cannot be written.
    """
    from transforms.dataset.files import write_bytes
    from transforms.pictures.decoding import encode_png

    write_bytes(path, encode_png(image))
