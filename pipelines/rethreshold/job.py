"""Selecting anew from a data set, shard by shard, into another."""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from indexes.folder_lock import lock_folder
from pipelines.rethreshold.stored_shard import PairPictures, choose_again, read_shard, segment_bare
from pipelines.running.job_folder import require_same
from pipelines.sources import open_source
from pipelines.terminal.console import print_note, show_progress
from transforms.dataset.files import OutputError, hash_file
from transforms.dataset.folder import prepare_output, write_manifest
from transforms.dataset.manifest import (
    MANIFEST,
    Manifest,
    hash_configuration,
    software_versions,
)
from transforms.dataset.pair_rows import fetch_by_turns
from transforms.dataset.shard_contents import shard_contents, tabulate
from transforms.dataset.shards import OutputShard, ShardReceipt, whole_shard
from transforms.pictures.limits import stored_limits
from transforms.protocols import Segmenter, Source
from transforms.select import SelectionThresholds
from transforms.write import write_contents

OpenSource = Callable[[Mapping[str, Any]], Source]


@dataclass(frozen=True)
class Rethreshold:
    """What is to be done: the data set, the new thresholds and where the result goes.

    `segmenter` makes the masks of pairs without; they stay without where it is None.
    `segmenter_name` is what the configuration says of it. `open_source` opens a source by its
    description in the manifest.
    """

    folder: Path
    out: Path
    parent: Manifest
    thresholds: SelectionThresholds
    segmenter: Segmenter | None = None
    segmenter_name: str | None = None
    open_source: OpenSource = open_source

    @property
    def edits(self) -> int:
        """The greatest number of pairs of one source."""
        return int(self.parent.configuration["edits"])

    @property
    def lineage(self) -> dict[str, str]:
        """The data set this one is made from."""
        return {
            "configuration_hash": self.parent.configuration_hash,
            "manifest_sha256": hash_file(self.folder / MANIFEST),
        }

    @property
    def configuration(self) -> dict[str, Any]:
        """The configuration of the result."""
        return {
            **self.parent.configuration,
            "thresholds": dataclasses.asdict(self.thresholds),
            "rethreshold": {"parent": self.lineage, "segmenter": self.segmenter_name},
        }

    @functools.cached_property
    def sources(self) -> tuple[Source, Source]:
        """Where the source pictures and the pseudo-targets come from, opened when first asked for.

        Raises:
            SourceError: one of them cannot be opened.
        """
        return self.open_source(self.parent.source), self.open_source(self.parent.pool)


def count_new_pairs(task: Rethreshold, thresholds: SelectionThresholds) -> int:
    """How many pairs there would be, by other thresholds, that `task`'s data set does not have.

    Raises:
        DatasetError: the data set cannot be read.
    """
    count = 0
    for receipt in task.parent.shards:
        stored = read_shard(task.folder, receipt, seed=task.parent.seed)
        chosen = choose_again(stored, thresholds, edits=task.edits).records
        count += sum(stored.again(example) is None for example in chosen)
    return count


def rethreshold(task: Rethreshold, *, overwrite: bool = False) -> Manifest:
    """Write the new data set and return its manifest.

    Raises:
        OutputError: the old data set is not whole, or the new one cannot be written.
        SourceError: something is newly admitted and the source it came from cannot be opened.
        CommandError: the old data set was made anew meanwhile.
        FolderLockedError: another process writes to the new one.
    """
    with lock_folder(task.out, "pairloom rethreshold", tell=print_note):
        return _rethreshold(task, overwrite=overwrite)


def _rethreshold(task: Rethreshold, *, overwrite: bool) -> Manifest:
    configuration, lineage = task.configuration, task.lineage
    digest = hash_configuration(configuration)
    prepare_output(task.out, digest, overwrite=overwrite)
    receipts = []
    with show_progress("rethreshold", len(task.parent.shards), unit="shards") as advance:
        for old in task.parent.shards:
            receipts.append(rethreshold_shard(task, old, digest))
            advance(1)
    manifest = Manifest(
        configuration=configuration,
        source=task.parent.source,
        pool=task.parent.pool,
        seed=task.parent.seed,
        models=task.parent.models,
        software=software_versions(),
        shards=tuple(receipts),
        parent=lineage,
    )
    require_same(task.folder, {"dataset": lineage})
    write_manifest(task.out, manifest)
    return manifest


def rethreshold_shard(task: Rethreshold, old: ShardReceipt, digest: str) -> ShardReceipt:
    """Write one shard of the new data set from the same shard of the old.

    Raises:
        OutputError, SourceError: as `rethreshold`.
    """
    shard = OutputShard(old.number, old.of, old.name, old.counts.sources)
    if whole_shard(task.folder, shard, task.parent.configuration_hash) is None:
        raise OutputError(f"{task.folder}: shard {shard.number} must be whole, see verify")
    stored = read_shard(task.folder, old, seed=task.parent.seed)
    batch = choose_again(stored, task.thresholds, edits=task.edits)
    something_new = any(stored.again(example) is None for example in batch.records)
    pictures = PairPictures(
        stored,
        task.sources if something_new else None,
        limits=stored_limits(task.parent.source, task.parent.pool),
    )
    if task.segmenter is not None:
        batch = segment_bare(batch, pictures, task.segmenter)
    contents = shard_contents([batch], [tabulate(stored.queries)])
    fetch = functools.partial(fetch_by_turns, fetch=pictures.fetch)
    return write_contents(task.out, shard, contents, fetch=fetch, configuration_hash=digest)
