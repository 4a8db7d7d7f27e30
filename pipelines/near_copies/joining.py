"""Near-copies among any number of pictures: the tables of `transforms.near_copies`, spread by Beam.

    tables -> Join -> one file of pairs a table -> groups

Every worker maps the same signatures and compares what its tables put together, so that what is
found does not depend on how many workers there are. Pairs are small: they lie in files, and groups
are made of them one file at a time.
"""

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import apache_beam as beam
import numpy as np

from indexes.parts import load_array
from indexes.storage.paths import as_path
from pipelines.running.execution import Execution
from pipelines.running.sharded_job import ShardedJob, run_job
from transforms.dataset.files import make_folder, write_bytes
from transforms.dataset.manifest import hash_configuration
from transforms.near_copies.components import connect
from transforms.near_copies.rule import NearCopyRule
from transforms.near_copies.tables import TABLES, Rows, Signatures, join_table

PICTURES_A_UNIT = 20_000
"""Tables are put together until so many pictures are sorted: for fewer, starting is what costs."""

OpenSignatures = Callable[[], Signatures]
"""Opens the same signatures in every worker; picklable."""


@dataclass(frozen=True, kw_only=True)
class Join:
    """A comparison of `count` pictures: whose signatures, by which rule, and where pairs are kept.

    `mark` tells these signatures from others, so that files of others are not taken for this
    join's.
    """

    open_signatures: OpenSignatures
    count: int
    folder: str
    mark: str
    rule: NearCopyRule

    @property
    def name(self) -> str:
        """What the files of this join are called by."""
        return hash_configuration({"mark": self.mark, "rule": asdict(self.rule)})[:16]

    def path(self, table: int) -> Path:
        """Where the pairs of a table lie."""
        return as_path(self.folder) / f"near-{self.name}-{table:02d}.npy"


def is_joined(table: int, join: Join) -> bool:
    """Whether the pairs of a table are there."""
    return join.path(table).is_file()


def write_pairs(table: int, join: Join) -> None:
    """Compares what `table` puts together and writes the pairs of near-copies.

    Raises:
        OutputError: they cannot be written.
    """
    data = io.BytesIO()
    np.lib.format.write_array(data, join_table(join.open_signatures(), table, join.rule))
    write_bytes(join.path(table), data.getvalue())


def join_graph(pipeline: beam.Pipeline, tables: Sequence[int], *, join: Join) -> None:
    """Wires the comparison of some tables."""
    _ = (
        pipeline
        | "Tables" >> beam.Create(list(tables))
        | "Spread" >> beam.Reshuffle()
        | "Join" >> beam.Map(partial(write_pairs, join=join))
    )


def find_pairs(join: Join, execution: Execution) -> list[Path]:
    """Runs a join, or what is missing of it; the files of pairs, table by table.

    Raises:
        CommandError, OutputError: as `run_job`.
    """
    make_folder(as_path(join.folder))
    job = ShardedJob(
        label="near-copies",
        shards=list(range(TABLES)),
        is_whole=partial(is_joined, join=join),
        pictures=lambda table: join.count,
        graph=partial(join_graph, join=join),
        least_pictures=PICTURES_A_UNIT,
    )
    run_job(job, execution)
    return [join.path(table) for table in range(TABLES)]


def read_pairs(paths: Sequence[Path]) -> Iterator[Rows]:
    """The pairs of rows in some files, a file at a time."""
    for path in paths:
        pairs: Rows = np.asarray(load_array(path), np.int64)
        yield pairs


def group_rows(join: Join, execution: Execution) -> Rows:
    """For every picture the first one of its group, int64 (count,).

    Raises:
        CommandError, OutputError: as `find_pairs`.
    """
    paths = find_pairs(join, execution)
    return connect(join.count, partial(read_pairs, paths))


def remove_pairs(join: Join) -> None:
    """Removes the files of pairs: groups are made of them, and nothing else needs them."""
    for table in range(TABLES):
        join.path(table).unlink(missing_ok=True)
