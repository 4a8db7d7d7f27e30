"""`pairloom rethreshold DIR --out DIR2 --filter NAME=RULE`, of a data set that was cleaned."""

import argparse
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from indexes.folder_lock import lock_folder
from pipelines.cleaning.options import CleanOptions
from pipelines.rethreshold.cleaned import (
    CleanedShard,
    QueryKey,
    choose_cleaned,
    decide_again,
    read_clean_options,
    read_cleaned,
)
from pipelines.rethreshold.stored_shard import PairPictures, segment_bare
from pipelines.running.job_folder import require_same
from pipelines.terminal.console import EXIT_USAGE, CommandError, print_note, show_progress
from transforms.dataset.clean_schema import CLEAN, CLEAN_NAMES, CLEAN_SCHEMAS
from transforms.dataset.files import dump_json, hash_file, remove_file, write_bytes, write_table
from transforms.dataset.folder import prepare_output, write_manifest
from transforms.dataset.manifest import (
    MANIFEST,
    Manifest,
    hash_configuration,
    software_versions,
)
from transforms.dataset.pair_rows import PairRows, fetch_by_turns
from transforms.dataset.rows import Row, query_to_row, reject_to_row
from transforms.dataset.shard_contents import count_outcomes, query_id, reject_id
from transforms.dataset.shards import ShardReceipt, receipt_file, shard_file
from transforms.pictures.limits import stored_limits
from transforms.protocols import Segmenter, Source
from transforms.record import Batch

OpenSources = Callable[[], tuple[Source, Source]]
"""Opens where the source pictures and the pseudo-targets come from."""


def run_refilter(
    args: argparse.Namespace,
    parent: Manifest,
    segmenter: Segmenter | None,
    open_source: Callable[[Mapping[str, Any]], Source],
) -> Manifest:
    """The data set of a command line, which was cleaned, with other filters.

    Raises:
        CommandError: something else than filters is to change.
        whatever `refilter` raises.
    """
    if args.threshold or not args.filter:
        raise CommandError(
            f"{args.folder} was cleaned, so that only --filter can change: give --threshold to "
            "the data set it was made of",
            exit_code=EXIT_USAGE,
        )
    return refilter(
        args.folder,
        args.out,
        parent,
        read_clean_options(parent, args.filter, folder=args.folder),
        sources=lambda: (open_source(parent.source), open_source(parent.pool)),
        segmenter=segmenter,
        segmenter_name=args.segment,
        overwrite=args.overwrite,
    )


def refilter(
    folder: Path,
    out: Path,
    parent: Manifest,
    options: CleanOptions,
    *,
    sources: OpenSources,
    segmenter: Segmenter | None = None,
    segmenter_name: str | None = None,
    overwrite: bool = False,
) -> Manifest:
    """Writes the cleaned data set in `folder` with the filters of `options`; its manifest.

    Pairs that come back are fetched from `sources`; `segmenter` makes their masks.

    Raises:
        DatasetError, OutputError, SourceError, CommandError: in one line each.
        FolderLockedError: another process writes there.
    """
    lineage = {
        "configuration_hash": parent.configuration_hash,
        "manifest_sha256": hash_file(folder / MANIFEST),
    }
    said = {**parent.configuration[CLEAN], **options.describe(), "parent": lineage}
    said["refiltered"] = {"segmenter": segmenter_name}
    configuration = {**parent.configuration, CLEAN: said}
    digest = hash_configuration(configuration)
    with lock_folder(out, "pairloom rethreshold", tell=print_note):
        prepare_output(out, digest, overwrite=overwrite)
        decisions = decide_again(folder, parent, options)
        receipts = []
        with show_progress("rethreshold", len(parent.shards), unit="shards") as advance:
            for old in parent.shards:
                shard = read_cleaned(folder, old)
                kept, rejects = choose_cleaned(shard, decisions)
                new = any(shard.stored.again(example) is None for example in kept)
                pictures = PairPictures(
                    shard.stored,
                    sources() if new else None,
                    limits=stored_limits(parent.source, parent.pool),
                )
                batch = Batch("", 0, tuple(sorted(kept, key=lambda each: query_id(each.query))))
                if segmenter is not None:
                    batch = segment_bare(batch, pictures, segmenter)
                later = [
                    (each, _clean_of(shard, (each.key, each.number))) for each in batch.rejects
                ]
                receipts.append(
                    _write(out, old, shard, batch, [*rejects, *later], pictures, digest)
                )
                advance(1)
        manifest = Manifest(
            configuration=configuration,
            source=parent.source,
            pool=parent.pool,
            seed=parent.seed,
            models=parent.models,
            software=software_versions(),
            shards=tuple(receipts),
            parent=lineage,
        )
        require_same(folder, {"dataset": lineage})
        write_manifest(out, manifest)
    return manifest


def _write(
    out: Path,
    old: ShardReceipt,
    shard: CleanedShard,
    batch: Batch[Any],
    rejects: list[tuple[Any, Row]],
    pictures: PairPictures,
    digest: str,
) -> ShardReceipt:
    """Writes the files of one shard, its receipt last."""
    place = out / receipt_file(old.shard)
    remove_file(place)
    pairs = PairRows()

    def pair_rows() -> Iterator[Row]:
        for row in pairs.rows(fetch_by_turns(batch.records, fetch=pictures.fetch)):
            yield {**row, **shard.clean[row["source_key"], row["number"]]}

    pairs_file = write_table(
        out / shard_file("pairs", old.shard), CLEAN_SCHEMAS["pairs"], pair_rows()
    )
    gone = [(each, _clean_of(shard, (each.key, each.number))) for each in pairs.rejects]
    ordered = sorted([*rejects, *gone], key=lambda each: reject_id(each[0]))
    files = (
        pairs_file,
        write_table(
            out / shard_file("rejects", old.shard),
            CLEAN_SCHEMAS["rejects"],
            ({**reject_to_row(reject), **columns} for reject, columns in ordered),
        ),
        write_table(
            out / shard_file("candidates", old.shard),
            CLEAN_SCHEMAS["candidates"],
            map(query_to_row, shard.stored.queries),
        ),
    )
    receipt = ShardReceipt(
        number=old.number,
        of=old.of,
        name=old.name,
        configuration_hash=digest,
        counts=count_outcomes(
            [each.query.source.position for each in pairs.examples],
            [(each.position, each.number, each.stage, each.reason) for each, _ in ordered],
        ),
        files=files,
    )
    write_bytes(place, dump_json(receipt.as_dict()))
    return receipt


def _clean_of(shard: CleanedShard, key: QueryKey) -> Row:
    return shard.clean.get(key, dict.fromkeys(CLEAN_NAMES))
