"""The shards of a cleaned data set: rows of its parent's, with what was decided of them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import apache_beam as beam
import pyarrow as pa
import pyarrow.parquet as pq

from indexes.groups import ID_LENGTH
from indexes.storage.paths import as_path
from pipelines.cleaning.deciding import split_of
from transforms.dataset.clean_schema import CLEAN_COLUMNS, CLEAN_NAMES, CLEAN_SCHEMAS
from transforms.dataset.earlier_files import with_todays_columns
from transforms.dataset.files import (
    OutputError,
    dump_json,
    remove_file,
    write_bytes,
    write_columns,
    write_table,
)
from transforms.dataset.manifest import Manifest
from transforms.dataset.rows import Row
from transforms.dataset.schema import SCORE_COLUMNS
from transforms.dataset.shard_contents import count_outcomes
from transforms.dataset.shards import (
    OutputShard,
    ShardReceipt,
    receipt_file,
    shard_file,
    whole_shard,
)
from transforms.dataset.tables import ShardedTable, find_shard_file

DECISION = pa.schema(
    [
        pa.field("key", pa.string()),
        pa.field("source_key", pa.string()),
        *(pa.field(name, pa.string()) for name in ("stage", "reason", "detail")),
        *(pa.field(column.name, column.type) for column in CLEAN_COLUMNS),
    ]
)
"""What was decided of one pair: `stage` is null where it stays."""

_SCORES = tuple(column.name for column in SCORE_COLUMNS)
_OF_REJECTS = {
    "key": "source_key",
    "shard": "source_shard",
    "position": "source_position",
    **{name: name for name in ("number", "caption", "edit_prompt", "target_key", *_SCORES)},
}
"""The columns of a reject, and those of the pair that it was."""


@dataclass(frozen=True)
class CleanShard:
    """One shard to write: `shard`, made of `parent`'s sources that are in `split`."""

    shard: OutputShard
    parent: ShardReceipt
    split: str | None


@dataclass(frozen=True, kw_only=True)
class WritePlan:
    """Where the shards are made of what: `work` holds a file of decisions a parent's shard.

    `splits` and `seed` place sources without a pair; both are of no interest where `splits` is
    empty.
    """

    parent: str
    out: str
    work: str
    mark: str
    parent_is_clean: bool = False
    splits: Mapping[str, float] = field(default_factory=dict)
    seed: int = 0

    def decisions_path(self, number: int) -> Path:
        """Where the decisions of the parent's shard `number` lie."""
        return as_path(self.work) / f"decisions-{number:05d}.parquet"


def clean_shards(manifest: Manifest, splits: Sequence[str]) -> list[CleanShard]:
    """The shards to write of a data set's, those of the first split first."""
    count = len(manifest.shards)
    names: Sequence[str | None] = splits or (None,)
    return [
        CleanShard(
            OutputShard(place * count + parent.number, len(names) * count, parent.name),
            parent,
            name,
        )
        for place, name in enumerate(names)
        for parent in manifest.shards
    ]


def is_written(shard: CleanShard, *, plan: WritePlan) -> bool:
    """Whether a shard is whole."""
    return whole_shard(as_path(plan.out), shard.shard, plan.mark) is not None


def write_graph(pipeline: beam.Pipeline, shards: Sequence[CleanShard], *, plan: WritePlan) -> None:
    """Wires the stage that writes some shards."""
    _ = (
        pipeline
        | "Shards" >> beam.Create(list(shards))
        | "Spread" >> beam.Reshuffle()
        | "Write" >> beam.Map(partial(write_shard, plan=plan))
    )


def write_shard(shard: CleanShard, plan: WritePlan) -> None:
    """Writes the files of a shard, its receipt last.

    Raises:
        DatasetError, OutputError: a file cannot be read or written.
    """
    folder = as_path(plan.out)
    receipt_path = folder / receipt_file(shard.shard)
    remove_file(receipt_path)
    rows = _ShardRows(shard, plan)
    rejects = sorted([*rows.rejects(), *rows.drops()], key=_reject_id)
    files = (
        write_table(
            folder / shard_file("pairs", shard.shard), CLEAN_SCHEMAS["pairs"], rows.pairs()
        ),
        write_table(
            folder / shard_file("rejects", shard.shard), CLEAN_SCHEMAS["rejects"], iter(rejects)
        ),
        write_columns(folder / shard_file("candidates", shard.shard), rows.candidates()),
    )
    outcomes = [(row["position"], row["number"], row["stage"], row["reason"]) for row in rejects]
    receipt = ShardReceipt(
        number=shard.shard.number,
        of=shard.shard.of,
        name=shard.shard.name,
        configuration_hash=plan.mark,
        counts=count_outcomes([rows.positions[place] for place in rows.kept], outcomes),
        files=files,
    )
    write_bytes(receipt_path, dump_json(receipt.as_dict()))


def _reject_id(row: Row) -> tuple[int, int, str]:
    return row["position"], -1 if row["number"] is None else row["number"], row["key"]


class _ShardRows:
    """The rows of one shard to write, read from its parent's and from what was decided."""

    def __init__(self, shard: CleanShard, plan: WritePlan) -> None:
        self._shard, self._plan = shard, plan
        self._files = {
            kind: find_shard_file(as_path(plan.parent), kind, shard.parent)
            for kind in ("pairs", "rejects", "candidates")
        }
        table = ShardedTable([self._files["pairs"]])
        self._table = table
        self._decided = _read_decisions(plan.decisions_path(shard.parent.number))
        light = list(table.rows(["key", "source_position"]))
        if [row["key"] for row in light] != [row["key"] for row in self._decided]:
            raise OutputError(f"{plan.parent}: shard {shard.parent.number} changed meanwhile")
        self.positions = [row["source_position"] for row in light]
        self.kept = [
            place
            for place, row in enumerate(self._decided)
            if row["stage"] is None and self._is_here(row["source_key"])
        ]

    @cached_property
    def _split_of_source(self) -> dict[str, str]:
        """The split of every source with a pair."""
        plan = self._plan
        return {
            row["source_key"]: split_of(row["source_group"], plan.splits, plan.seed)
            for row in self._decided
            if plan.splits and row["source_group"] is not None
        }

    def _is_here(self, source_key: str, sha256: str | None = None) -> bool:
        """Whether a source belongs to this shard."""
        plan = self._plan
        if not plan.splits:
            return True
        found = self._split_of_source.get(source_key)
        if found is None:
            name = sha256[:ID_LENGTH] if sha256 else source_key
            found = self._split_of_source[source_key] = split_of(name, plan.splits, plan.seed)
        return found == self._shard.split

    def pairs(self) -> Iterator[Row]:
        """The rows of the pairs that stay, with their pictures, a row group in memory at a time."""
        for place, row in zip(self.kept, self._table.rows(positions=self.kept), strict=True):
            yield {**row, **self._clean_columns(row, self._decided[place])}

    def _clean_columns(self, row: Row, decided: Row) -> Row:
        """What was decided; of what was not, what the parent says."""
        found = {
            name: decided[name] if row.get(name) is None else row[name] for name in CLEAN_NAMES
        }
        return {**found, "split": self._shard.split or row.get("split")}

    def candidates(self) -> pa.Table:
        """The rows of the candidates of the sources that are here."""
        table = self._files["candidates"].read()
        keys, hashes = table["source_key"].to_pylist(), table["source_sha256"].to_pylist()
        here = [self._is_here(key, sha) for key, sha in zip(keys, hashes, strict=True)]
        return with_todays_columns(
            table.filter(pa.array(here, pa.bool_())), CLEAN_SCHEMAS["candidates"]
        )

    def rejects(self) -> Iterator[Row]:
        """The rejects that there were before, of the sources that are here."""
        self.candidates()  # they know the contents of sources that have no pair
        empty = dict.fromkeys(CLEAN_NAMES)
        for row in self._files["rejects"].read().to_pylist():
            if self._is_here(row["key"]):
                yield {**empty, **row, "split": self._shard.split or row.get("split")}

    def drops(self) -> Iterator[Row]:
        """The rejects that pairs have become."""
        columns = [*_OF_REJECTS.values()]
        columns += CLEAN_NAMES if self._plan.parent_is_clean else ()
        for row, decided in zip(self._table.rows(columns), self._decided, strict=True):
            if decided["stage"] is not None and self._is_here(decided["source_key"]):
                yield {
                    **{name: row[column] for name, column in _OF_REJECTS.items()},
                    **{name: decided[name] for name in ("stage", "reason", "detail")},
                    **self._clean_columns(row, decided),
                }


def _read_decisions(path: Path) -> list[dict[str, Any]]:
    with path.open("rb") as file:
        rows: list[dict[str, Any]] = pq.read_table(file, schema=DECISION).to_pylist()
    return rows
