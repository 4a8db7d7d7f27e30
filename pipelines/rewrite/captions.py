"""Captions of a text file: one a line, with or without a key before them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipelines.terminal.console import CommandError
from transforms.pictures.decoding import PictureError
from transforms.sources.texts import decode_text

MOST_BYTES = 1 << 30


@dataclass(frozen=True)
class KeyedCaption:
    """A caption and the key that its edits are drawn by."""

    key: str
    caption: str


def read_captions(path: Path) -> list[KeyedCaption]:
    """The captions of the file at `path`, one a line; empty lines are left out.

    A line is a key, a tab and a caption, or a caption alone, whose key is then its number in the
    file, from 1. Further columns are not read.

    Raises:
        CommandError: the file cannot be read, is no text, is larger than `MOST_BYTES`, or holds no
            caption.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise CommandError(f"{path} must have at most {MOST_BYTES} bytes")
        data = path.read_bytes()
    except OSError as error:
        raise CommandError(f"cannot read {path}: {error.strerror or error}") from error
    try:
        text = decode_text(data, path.name)
    except PictureError as error:
        raise CommandError(f"{path} must be a text file of captions: {error}") from error
    captions = list(_read_lines(text))
    if not captions:
        raise CommandError(f"{path} holds no captions")
    return captions


def _read_lines(text: str) -> Iterator[KeyedCaption]:
    for number, line in enumerate(text.splitlines(), start=1):
        first, tab, rest = line.partition("\t")
        key, caption = (first, rest.split("\t")[0]) if tab else (str(number), first)
        if caption.strip():
            yield KeyedCaption(key.strip() or str(number), caption.strip())
