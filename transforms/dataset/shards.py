"""The files of one output shard: their names, their bytes, and the receipt that they are whole.

An output shard is a pairs, a rejects and a candidates file, and a small receipt that is written
last. A shard without its receipt is not there.
"""

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from indexes.storage.errors import refuse_outage
from transforms.dataset.files import FileReceipt, OutputError, read_bounded
from transforms.dataset.plain_data import PlainDataError, every, fields, mapping, parse_json, text
from transforms.dataset.plain_data import whole as whole_number
from transforms.dataset.schema import (
    CANDIDATES,
    PAIRS,
    REJECTS,
    SCHEMA_VERSION,
    check_version,
)

SCHEMAS = {"pairs": PAIRS, "rejects": REJECTS, "candidates": CANDIDATES}
KINDS = tuple(SCHEMAS)
_SHARD_NAME = re.compile(
    rf"(?:(?:{'|'.join(KINDS)})-\d{{5,}}-of-\d{{5,}}\.parquet|shard-\d{{5,}}-of-\d{{5,}}\.json)"
)

MOST_RECEIPT_BYTES = 1_000_000
"""A receipt is a few kilobytes; what is larger is none, and is not read."""

_IDENTIFIER = text(r"[a-z][a-z0-9_]{0,63}", "a short lower-case identifier")
COUNTS_SHAPE = fields(
    {
        **dict.fromkeys(
            (
                "sources",
                "sources_with_pairs",
                "sources_without_pairs",
                "queries",
                "pairs",
                "source_rejects",
                "query_rejects",
            ),
            whole_number(),
        ),
        "rejects": mapping(mapping(whole_number(least=1), names=_IDENTIFIER), names=_IDENTIFIER),
    }
)
_FILE_SHAPE = fields(
    {
        "name": text(_SHARD_NAME.pattern, "the name of a shard's file"),
        "rows": whole_number(),
        "bytes": whole_number(),
        "sha256": text(),
    }
)
RECEIPT_SHAPE = fields(
    {
        "number": whole_number(),
        "of": whole_number(least=1),
        "name": text(),
        "configuration_hash": text(),
        "counts": COUNTS_SHAPE,
        "files": every(_FILE_SHAPE),
        "schema_version": whole_number(),
    }
)
"""What a receipt looks like as plain data. No name in it leads out of the folder."""


@dataclass(frozen=True)
class OutputShard:
    """One shard of the output: number `number` of `of`, made from the source shard `name`.

    `sources` is how many pictures the source shard holds, where that is known beforehand; what
    arrives is then checked against it.

    Raises:
        ValueError: `number` is not in [0, `of`).

    >>> from pairloom import OutputShard, StillLifeSource
    >>> shards = StillLifeSource(count=5, shard_size=2).shards()
    >>> [OutputShard(n, len(shards), each.name) for n, each in enumerate(shards)][-1]
    OutputShard(number=2, of=3, name='00002', sources=None)
    """

    number: int
    of: int
    name: str
    sources: int | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.number < self.of:
            raise ValueError(f"shard number must be in [0, {self.of}), got {self.number}")


@dataclass(frozen=True, kw_only=True)
class Counts:
    """What became of the pictures of a shard, or of a whole data set.

    `sources` are pictures read; each ends in at least one pair (`sources_with_pairs`) or in
    rejects only (`sources_without_pairs`). `queries` are proposed edits; each ends as one of
    `pairs` or of `query_rejects`. `source_rejects` are rejects of whole pictures. `rejects` counts
    both kinds by stage and reason.
    """

    sources: int = 0
    sources_with_pairs: int = 0
    sources_without_pairs: int = 0
    queries: int = 0
    pairs: int = 0
    source_rejects: int = 0
    query_rejects: int = 0
    rejects: dict[str, dict[str, int]] = field(default_factory=dict)

    def __add__(self, other: "Counts") -> "Counts":
        """The counts of both together."""
        sums: dict[str, Any] = {
            f.name: getattr(self, f.name) + getattr(other, f.name)
            for f in dataclasses.fields(self)
            if f.name != "rejects"
        }
        rejects: dict[str, dict[str, int]] = {}
        for stages in (self.rejects, other.rejects):
            for stage, reasons in stages.items():
                total = rejects.setdefault(stage, {})
                for reason, number in reasons.items():
                    total[reason] = total.get(reason, 0) + number
        return Counts(**sums, rejects=rejects)

    @property
    def rejected(self) -> int:
        """All rejects, summed over stages and reasons."""
        return sum(sum(reasons.values()) for reasons in self.rejects.values())

    def problems(self) -> list[str]:
        """One line for each sum that does not come out; empty where all do."""
        with_and_without = self.sources_with_pairs + self.sources_without_pairs
        sums = (
            ("sources", self.sources, "with and without pairs", with_and_without),
            ("queries", self.queries, "pairs and query rejects", self.pairs + self.query_rejects),
            (
                "rejects by reason",
                self.rejected,
                "source and query rejects",
                self.source_rejects + self.query_rejects,
            ),
        )
        return [
            f"counts do not add up: {total} {name}, but {parts} {what}"
            for name, total, what, parts in sums
            if total != parts
        ]


@dataclass(frozen=True, kw_only=True)
class ShardReceipt:
    """Says that one output shard is whole, what is in it and which configuration made it."""

    number: int
    of: int
    name: str
    configuration_hash: str
    counts: Counts
    files: tuple[FileReceipt, ...]
    schema_version: int = SCHEMA_VERSION

    @property
    def shard(self) -> OutputShard:
        """The shard it is of."""
        return OutputShard(self.number, self.of, self.name)

    def as_dict(self) -> dict[str, Any]:
        """The receipt as plain data."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "ShardReceipt":
        """Inverse of `as_dict`.

        Raises:
            ValueError: `data` is not a receipt, or is of a schema version not known here.
        """
        if isinstance(data, dict):
            check_version(data.get("schema_version", SCHEMA_VERSION))
        RECEIPT_SHAPE(data, "")
        if data["number"] >= data["of"]:
            raise PlainDataError(f"number must be in [0, {data['of']}), got {data['number']}")
        files = tuple(FileReceipt(**file) for file in data["files"])
        return cls(**{**data, "counts": Counts(**data["counts"]), "files": files})

    def problems(self) -> list[str]:
        """One line for each number in the receipt that contradicts another."""
        rows = {file.name.partition("-")[0]: file.rows for file in self.files}
        lines = self.counts.problems()
        for kind, expected in (("pairs", self.counts.pairs), ("rejects", self.counts.rejected)):
            if rows.get(kind) != expected:
                lines.append(f"{rows.get(kind)} rows of {kind} in the files, {expected} counted")
        return [f"shard {self.number}: {line}" for line in lines]


def shard_file(kind: str, shard: OutputShard) -> str:
    """Name of the file of `kind` (pairs, rejects or candidates) of a shard."""
    return f"{kind}-{shard.number:05d}-of-{shard.of:05d}.parquet"


def receipt_file(shard: OutputShard) -> str:
    """Name of the receipt of a shard."""
    return f"shard-{shard.number:05d}-of-{shard.of:05d}.json"


def is_shard_file(name: str) -> bool:
    """Whether `name` is the name of a shard's file or receipt, of any shard count."""
    return _SHARD_NAME.fullmatch(name) is not None


def load_receipt(path: Path) -> ShardReceipt:
    """The receipt at `path`.

    Raises:
        OutputError: it cannot be read, or is not a receipt of a schema version known here.
    """
    data = read_bounded(path, MOST_RECEIPT_BYTES)
    try:
        return ShardReceipt.from_dict(parse_json(data))
    except ValueError as error:
        raise OutputError(f"{path} is not a shard receipt: {error}") from error


def read_receipts(folder: Path) -> list[ShardReceipt]:
    """All receipts in `folder`, of whatever shard count and configuration, sorted by file name.

    Raises:
        OutputError: one of them cannot be read.
    """
    return [load_receipt(path) for path in sorted(folder.glob("shard-*-of-*.json"))]


def whole_shard(folder: Path, shard: OutputShard, configuration_hash: str) -> ShardReceipt | None:
    """The receipt of `shard` if it is whole and of this configuration, else None.

    Whole means that the receipt is there and that every file it names has the size it names; the
    hashes are `pairloom verify`'s business.

    Raises:
        OutputError: there is a receipt, and it cannot be read.
    """
    path = folder / receipt_file(shard)
    if not path.is_file():
        return None
    receipt = load_receipt(path)
    same = (receipt.name, receipt.configuration_hash) == (shard.name, configuration_hash)
    sizes = all(_size(folder / file.name) == file.bytes for file in receipt.files)
    return receipt if same and sizes else None


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError as error:
        refuse_outage(error)
        return None
