"""One shard of pairs in each of the forms: what is written, row by row."""

import io
import json
import shutil
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from transforms.dataset.files import atomic_file, write_table
from transforms.dataset.reader import PSEUDO_TARGET_IMAGE, SOURCE_IMAGE
from transforms.dataset.rows import Row
from transforms.dataset.schema import (
    IMAGE_COLUMNS,
    PAIR_COLUMNS,
    Column,
    make_schema,
)
from transforms.dataset.tables import DatasetError, ShardedTable, ShardFile, open_shard

INSTRUCTION, PROMPT = "instruction", "prompt"
WORDS = {INSTRUCTION: "edit_instruction", PROMPT: "edit_prompt"}
"""What an exported `edit_prompt` says, and the column it is taken from."""

_ENDINGS = ((b"\xff\xd8\xff", "jpg"), (b"\x89PNG", "png"), (b"RIFF", "webp"))
_MEMBERS = {
    SOURCE_IMAGE: "input",
    PSEUDO_TARGET_IMAGE: "edited",
    "source_mask": "input_mask",
    "target_mask": "edited_mask",
}
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Shard:
    """One shard to write: the file of its pairs, its number of so many, its split if it has one.

    `columns` are those of the file.
    """

    file: ShardFile
    number: int
    of: int
    columns: tuple[Column, ...]
    split: str | None = None


@dataclass(frozen=True)
class Format:
    """A form: what its files are called, what writes one, and which columns the pairs have then.

    Files are called by their split; `stem` stands for it where there are none. `write` takes the
    shard, where to write, and the column that becomes the edit's words. `columns` are those of the
    files; None for those that the pairs have.
    """

    name: str
    folder: str
    stem: str
    ending: str
    write: Callable[[Shard, Path, str], None]
    columns: tuple[Column, ...] | None = None

    def pattern(self, split: str | None) -> str:
        """What the files of a split are called, with a star for number and count of the shard."""
        return f"{self.folder}{split or self.stem}-*.{self.ending}"

    def file_name(self, shard: Shard) -> str:
        """The name of a shard's file in the folder of the export."""
        return self.pattern(shard.split).replace("*", f"{shard.number:05d}-of-{shard.of:05d}")


def write_webdataset(shard: Shard, path: Path, words: str) -> None:
    """A tar file for WebDataset: of each pair its pictures, masks, `json` and `txt`.

    Members are called SSSSS-RRRRRR, the numbers of shard and row, as a pair's key may hold dots and
    slashes; it is in the `json`, with every column that is no picture. `txt` holds `words`. Members
    have no owner and no time, so that the bytes follow from the pairs.

    Raises:
        DatasetError: the shard cannot be read.
        OutputError: the file cannot be written.
    """
    rows = ShardedTable([shard.file]).rows([column.name for column in shard.columns])
    with atomic_file(path) as file, tarfile.open(fileobj=file, mode="w") as archive:
        for number, row in enumerate(rows):
            name = f"{shard.number:05d}-{number:06d}"
            for ending, data in _members(row, words):
                member = tarfile.TarInfo(f"{name}.{ending}")
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))


def _members(row: Row, words: str) -> Iterator[tuple[str, bytes]]:
    plain = {name: value for name, value in row.items() if name not in IMAGE_COLUMNS}
    for column, name in _MEMBERS.items():
        if row[column] is not None and row[column]["bytes"] is not None:
            data = row[column]["bytes"]
            yield f"{name}.{_ending(data)}", data
    yield "json", json.dumps(plain, sort_keys=True, ensure_ascii=False).encode()
    yield "txt", _said(row, words).encode()


def _ending(data: bytes) -> str:
    return next((ending for sign, ending in _ENDINGS if data.startswith(sign)), "bin")


def _said(row: Row, words: str) -> str:
    text = row[words]
    if not text:
        raise DatasetError(
            f"pair {row['key']} has no {words}: pairloom rethreshold makes it for a data set of an "
            "earlier version, or choose --words prompt"
        )
    return str(text)


def copy_pairs(shard: Shard, path: Path, words: str) -> None:
    """The file of the pairs as it is; `words` stays a column of its own.

    Raises:
        DatasetError: the shard cannot be read.
        OutputError: the file cannot be written.
    """
    with (
        open_shard(shard.file.path),
        shard.file.path.open("rb") as read,
        atomic_file(path) as written,
    ):
        shutil.copyfileobj(read, written, _CHUNK)


TRIPLE = (
    next(column for column in PAIR_COLUMNS if column.name == SOURCE_IMAGE),
    Column("edit_prompt", pa.string(), "what is to be done, or what is to be seen"),
    next(column for column in PAIR_COLUMNS if column.name == PSEUDO_TARGET_IMAGE),
)
"""The three columns that InstructPix2Pix's trainers read."""


def write_triples(shard: Shard, path: Path, words: str) -> None:
    """Parquet with the three columns of InstructPix2Pix: `words` is the `edit_prompt`.

    Raises:
        DatasetError: the shard cannot be read.
        OutputError: the file cannot be written.
    """
    columns = ["key", SOURCE_IMAGE, PSEUDO_TARGET_IMAGE, words]
    rows = (
        {
            SOURCE_IMAGE: row[SOURCE_IMAGE],
            "edit_prompt": _said(row, words),
            PSEUDO_TARGET_IMAGE: row[PSEUDO_TARGET_IMAGE],
        }
        for row in ShardedTable([shard.file]).rows(columns)
    )
    write_table(path, make_schema(TRIPLE), rows)


FORMATS = {
    each.name: each
    for each in (
        Format("webdataset", "", "pairs", "tar", write_webdataset),
        Format("hub-folder", "data/", "train", "parquet", copy_pairs),
        Format("instruct-pix2pix", "data/", "train", "parquet", write_triples, TRIPLE),
    )
}
