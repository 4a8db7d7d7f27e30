"""Rows of a folder of pictures, wherever the folder is: what is one, and what becomes of it."""

import hashlib
from collections.abc import Iterator
from pathlib import PurePath
from typing import TypeVar

from transforms.pictures.decoding import NormalisedPicture
from transforms.record import Reject, SourceImage
from transforms.sources.texts import printable

PathT = TypeVar("PathT", bound=PurePath)

_SIDECARS = (b".txt", b".json")
_CAPTION_ENDINGS = (".txt", ".TXT", ".Txt")


def is_sidecar(name: bytes) -> bool:
    """Whether a file is what is said of a picture, and none itself, by its name."""
    return name.lower().endswith(_SIDECARS)


def caption_places(path: PathT) -> Iterator[PathT]:
    """Where the text of a picture may lie: under its name without its ending, or with it."""
    for name in (path.stem, path.name):
        yield from (path.with_name(name + ending) for ending in _CAPTION_ENDINGS)


def picture_row(
    shard: str,
    row: int,
    reference: str,
    *,
    data: bytes,
    picture: NormalisedPicture,
    caption: str | None,
) -> SourceImage:
    """The record of a picture whose file holds `data`, which decoding made `picture` of."""
    return SourceImage(
        key=hashlib.sha256(data).hexdigest()[:32],
        shard=shard,
        position=row,
        reference=reference,
        content_sha256=picture.sha256,
        width=picture.width,
        height=picture.height,
        image=picture.bytes,
        alt_text=caption,
    )


def reject_row(name: bytes, shard: str, row: int, reason: str, detail: str) -> Reject:
    """The reject of a row that is no picture; it is keyed by its path in the folder."""
    key = hashlib.sha256(b"path:" + name).hexdigest()[:32]
    detail = printable(detail)
    return Reject(key=key, shard=shard, position=row, stage="read", reason=reason, detail=detail)
