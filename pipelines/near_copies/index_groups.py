"""`pairloom index --near-copies`: every picture of a finished index gets its group of near-copies.

    source shards -> Fingerprint, a file a part -> joining -> groups.npy

Embeddings are the index's own; pictures are read once more for their fingerprints, so that an index
that was made before can be given groups too. The index itself stays byte for byte as it is.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import numpy.typing as npt

from indexes.errors import PairloomError
from indexes.folder import PictureIndex, open_index
from indexes.groups import (
    ID_LENGTH,
    GroupIds,
    fingerprint_path,
    has_fingerprints,
    has_table,
    open_groups,
    read_groups_manifest,
    write_fingerprints,
    write_groups,
)
from indexes.layout import Part, all_parts
from indexes.metadata import read_metadata
from indexes.parts import load_array
from indexes.storage.store_path import StorePath
from pipelines.near_copies.joining import Join, group_rows, remove_pairs
from pipelines.running.execution import Execution
from pipelines.running.sharded_job import ShardedJob, run_job
from pipelines.terminal.console import CommandError
from transforms.near_copies.fingerprint import FINGERPRINT_BYTES, Fingerprints, fingerprint
from transforms.near_copies.rule import NearCopyRule
from transforms.near_copies.tables import Rows, Signatures
from transforms.pictures.decoding import decode_kept
from transforms.protocols import Source, SourceShard
from transforms.record import SourceImage

WORK_FOLDER = ".near-copies"
"""Where the pairs of an index lie while its groups are made; hidden, so that nobody reads it."""

_ROWS_AT_ONCE = 1 << 16

PlannedPart = tuple[Part, SourceShard]


class ChangedPictureError(PairloomError):
    """A picture of an index that its source does not give any more."""


@dataclass(frozen=True)
class OpenIndexSignatures:
    """Opens the signatures of the index in `folder`, whose identity is `mark`."""

    folder: str
    mark: str | None
    parts: int

    def __call__(self) -> Signatures:
        """Fingerprints of all parts, and the index's embeddings."""
        index = open_index(self.folder, identity=self.mark)
        arrays = [
            load_array(fingerprint_path(index.folder, part)) for part in all_parts(self.parts)
        ]
        found: Fingerprints = np.concatenate(arrays)
        return Signatures(found, index.embeddings)


def group_index(
    folder: Path, source: Source, execution: Execution, rule: NearCopyRule | None = None
) -> dict[str, Any]:
    """Gives every picture of the finished index in `folder` its group, where it has none yet.

    `source` is what the index was made of. Returns what `groups.json` says.

    Raises:
        IndexFolderError, SourceError, CommandError: in one line each.
        ChangedPictureError: the source has changed since.
    """
    rule = rule or NearCopyRule()
    if isinstance(folder, StorePath):
        raise CommandError(f"groups of near-copies need an index on this machine, got {folder}")
    folder = folder.resolve()
    index = open_index(folder)
    if index.identity is None:
        raise CommandError(f"{folder} was made before indexes had hashes: make it anew")
    known = read_groups_manifest(folder)
    if known is not None and known.get("rule") == asdict(rule):
        groups = None if has_table(folder, known) else open_groups(folder)
        return known if groups is None else _write_groups(index, groups.ids, rule)
    shards = source.shards()
    job = fingerprint_job(folder, source, shards, mark=index.identity)
    run_job(job, execution)
    join = Join(
        open_signatures=OpenIndexSignatures(str(folder), index.identity, len(shards)),
        count=len(index),
        folder=str(folder / WORK_FOLDER),
        mark=index.identity,
        rule=rule,
    )
    ids = name_groups(index, group_rows(join, execution))
    about = _write_groups(index, ids, rule)
    remove_pairs(join)
    (folder / WORK_FOLDER).rmdir()
    return about


def _write_groups(index: PictureIndex, ids: GroupIds, rule: NearCopyRule) -> dict[str, Any]:
    assert index.identity is not None
    keys = (
        index.keys(start, start + _ROWS_AT_ONCE) for start in range(0, len(index), _ROWS_AT_ONCE)
    )
    return write_groups(index.folder, ids, keys=keys, mark=index.identity, rule=asdict(rule))


def fingerprint_job(
    folder: Path, source: Source, shards: Sequence[SourceShard], *, mark: str
) -> ShardedJob[PlannedPart]:
    """The fingerprints of all parts, one a source shard."""
    parts = all_parts(len(shards))
    return ShardedJob(
        label="fingerprints",
        shards=list(zip(parts, shards, strict=True)),
        is_whole=partial(is_fingerprinted, folder=folder, mark=mark),
        pictures=lambda each: each[1].stop - each[1].start,
        graph=partial(fingerprint_graph, folder=folder, source=source, mark=mark),
    )


def is_fingerprinted(planned: PlannedPart, *, folder: Path, mark: str) -> bool:
    """Whether the fingerprints of a part are there."""
    return has_fingerprints(folder, planned[0], mark)


def fingerprint_graph(
    pipeline: beam.Pipeline,
    parts: Sequence[PlannedPart],
    *,
    folder: Path,
    source: Source,
    mark: str,
) -> None:
    """Wires the stage that fingerprints the pictures of some parts."""
    _ = (
        pipeline
        | "Parts" >> beam.Create(list(parts))
        | "Spread" >> beam.Reshuffle()
        | "Fingerprint"
        >> beam.Map(partial(fingerprint_part, folder=folder, source=source, mark=mark))
    )


def fingerprint_part(planned: PlannedPart, *, folder: Path, source: Source, mark: str) -> None:
    """Writes the fingerprints of the pictures of one part, in its order.

    Raises:
        ChangedPictureError: the source does not give one of them any more.
    """
    part, shard = planned
    metadata = read_metadata(folder, part)
    wanted = dict(
        zip(metadata["key"].to_pylist(), metadata["content_sha256"].to_pylist(), strict=True)
    )
    found: dict[str, bytes] = {}
    for record in source.read(shard):
        if isinstance(record, SourceImage) and wanted.get(record.key) == record.content_sha256:
            data = record.image if record.image is not None else source.open(record.reference)
            found[record.key] = fingerprint(decode_kept(data))
    for key in wanted:
        if key not in found:
            raise ChangedPictureError(
                f"{key} is in the index and no longer in its source as it was: make the index anew"
            )
    rows = np.frombuffer(b"".join(found[key] for key in wanted), np.uint8)
    write_fingerprints(folder, part, rows.reshape(len(wanted), FINGERPRINT_BYTES), mark)


def name_groups(index: PictureIndex, first: Rows) -> GroupIds:
    """The name of every row's group: the least SHA-256 of its pictures, shortened.

    `first` is the first row of each row's group.
    """
    names = np.concatenate([np.empty(0, f"S{ID_LENGTH}"), *_contents(index)])
    return least_names(names, first)


def least_names(names: GroupIds, first: Rows) -> GroupIds:
    """For every row the least of the `names` in its group.

    >>> import numpy as np
    >>> least_names(np.array([b"b", b"c", b"a"]), np.array([0, 1, 0])).tolist()
    [b'a', b'c', b'a']
    """
    order = np.lexsort((names, first))
    starts = np.flatnonzero(np.diff(first[order], prepend=-1))
    least = names.copy()
    least[first[order][starts]] = names[order][starts]
    found: GroupIds = least[first]
    return found


def _contents(index: PictureIndex) -> Iterator[npt.NDArray[np.bytes_]]:
    for start in range(0, len(index), _ROWS_AT_ONCE):
        rows = index.rows(range(start, min(start + _ROWS_AT_ONCE, len(index))))
        yield np.array([row.content_sha256[:ID_LENGTH].encode() for row in rows])
