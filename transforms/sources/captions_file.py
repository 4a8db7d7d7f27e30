"""Captions of a folder's pictures from one file, in the layouts that data sets of captions have.

A picture may have several. Told by their content are Flickr8k's and Flickr30k's lists
(`name.jpg#0<tab>caption`, `name.jpg| 0| caption`), tables with the columns `image` and `caption`,
lines of a name, a tab and a caption, COCO's JSON (`images` and `annotations`), Karpathy's
(`images` with `sentences`), and JSON that maps names to captions.
"""

import csv
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from transforms.pictures.decoding import PictureError
from transforms.protocols import SourceError
from transforms.sources.texts import MAX_TEXT_BYTES, clean_text, decode_text

MOST_BYTES = 1 << 30
"""A file of captions of all COCO takes 90 MB."""

_NUMBERED = re.compile(r"#\d+$")
_PICTURE_COLUMNS = ("image_name", "image", "file_name", "filename", "filepath", "name")
_CAPTION_COLUMNS = ("comment", "caption", "text", "title")

Told = Mapping[str, tuple[str, ...]]
"""Captions by the name of the picture they are told of."""


def captions_of(path: str, name: str) -> tuple[str, ...]:
    """What the file at `path` says of the picture `name`, in the file's order.

    `name` is relative to the folder; where the file does not have it, its last part is looked up.

    Raises:
        SourceError: as `read_captions_file`.
    """
    told = load_captions(path)
    return told.get(name) or told.get(name.rsplit("/", 1)[-1], ())


def join_captions(captions: Iterable[str]) -> str | None:
    """The captions as an `alt_text`, a line each; None where nothing of them can be seen."""
    lines = dict.fromkeys(filter(None, map(clean_text, captions)))
    return "\n".join(lines) or None


def load_captions(path: str) -> Told:
    """`read_captions_file`, remembered while the file stays the same.

    Raises:
        SourceError: as `read_captions_file`.
    """
    try:
        status = Path(path).stat()
    except OSError as error:
        raise SourceError(f"{path}: cannot read it: {error.strerror}") from error
    return _load(path, (status.st_mtime_ns, status.st_size, status.st_ino))


@lru_cache(maxsize=2)
def _load(path: str, _state: tuple[int, int, int]) -> Told:
    return read_captions_file(Path(path))


def read_captions_file(path: Path) -> Told:
    """All captions of a file by the names of their pictures.

    Raises:
        SourceError: it cannot be read, is in none of the layouts, or holds no captions.
    """
    told: dict[str, list[str]] = {}
    try:
        if path.stat().st_size > MOST_BYTES:
            raise SourceError(f"{path}: a file of captions must have at most {MOST_BYTES} bytes")
        text = decode_text(path.read_bytes(), path.name)
        pairs = _json_pairs(text) if text.lstrip()[:1] in ("{", "[") else _text_pairs(text)
        for name, caption in pairs:
            if len(caption) > MAX_TEXT_BYTES:
                raise ValueError(f"{name} has a caption of more than {MAX_TEXT_BYTES} characters")
            told.setdefault(name, []).append(caption)
    except OSError as error:
        raise SourceError(f"{path}: cannot read it: {error.strerror}") from error
    except PictureError as error:
        raise SourceError(f"{path}: {error.detail}") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, csv.Error) as error:
        raise SourceError(f"{path}: no readable file of captions: {_line(error)}") from error
    if not told:
        raise SourceError(f"{path}: the file holds no captions")
    return {name: tuple(captions) for name, captions in told.items()}


def _line(error: Exception) -> str:
    said = f"{error} is missing" if isinstance(error, KeyError) else str(error)
    return " ".join(said.split())


def _text_pairs(text: str) -> Iterator[tuple[str, str]]:
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    first = lines[0] if lines else ""
    if "\t" in first:
        return _tabbed_pairs(lines)
    mark = "|" if "|" in first else ","
    columns = [name.strip().lower() for name in first.split(mark)]
    picture = next((name for name in _PICTURE_COLUMNS if name in columns), None)
    caption = next((name for name in _CAPTION_COLUMNS if name in columns), None)
    if picture is None or caption is None:
        raise ValueError(
            "its first line must hold a tab, or name the columns image and caption, "
            f"got {first[:80]!r}"
        )
    return _table_pairs(lines, mark, columns.index(picture), columns.index(caption))


def _tabbed_pairs(lines: list[str]) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(lines, start=1):
        name, mark, caption = line.partition("\t")
        if not mark and line.strip():
            raise ValueError(
                f"line {number} must be a name, a tab and a caption, got {line[:80]!r}"
            )
        if mark:
            yield _NUMBERED.sub("", name), caption


def _table_pairs(
    lines: list[str], mark: str, picture: int, caption: int
) -> Iterator[tuple[str, str]]:
    if mark == ",":
        rows = csv.reader(lines[1:])
    else:
        rows = csv.reader(lines[1:], delimiter=mark, quoting=csv.QUOTE_NONE)
    for row in rows:
        # One line of Flickr30k's lacks its caption.
        if len(row) > max(picture, caption):
            yield row[picture].strip(), row[caption].strip()


def _json_pairs(text: str) -> Iterator[tuple[str, str]]:
    found: Any = json.loads(text)
    if not isinstance(found, dict):
        raise ValueError("JSON of captions must be an object")
    images = found.get("images")
    if isinstance(images, list) and isinstance(found.get("annotations"), list):
        names = {image["id"]: _text(image["file_name"]) for image in images}
        for annotation in found["annotations"]:
            yield names[annotation["image_id"]], _text(annotation["caption"])
    elif isinstance(images, list):
        for image in images:
            name = _text(image["filename"])
            for sentence in image["sentences"]:
                yield name, _text(sentence["raw"])
    else:
        for name, said in found.items():
            for caption in [said] if isinstance(said, str) else said:
                yield name, _text(caption)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"a name or caption must be text, got {value!r:.80}")
    return value.encode("utf-8", "replace").decode()
