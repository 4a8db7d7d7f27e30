"""`pairloom rethreshold DIR --out DIR2`: other thresholds over the stored candidates, no model.

Every query of the data set is there with all its candidates and their scores, so that Select can be
done again. Pairs that were there before keep their pictures and masks; what is newly admitted is
fetched from where it came from.
"""

import argparse
import dataclasses
import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from indexes.folder_lock import lock_folder
from pipelines.cleaning.deciding import FILTER
from pipelines.rethreshold.clean_writing import run_refilter
from pipelines.rethreshold.stored_shard import PairPictures, choose_again, read_shard, segment_bare
from pipelines.running.job_folder import require_same
from pipelines.sources import open_source
from pipelines.terminal.arguments import any_path, refuse_inside
from pipelines.terminal.console import (
    EXIT_OK,
    EXIT_USAGE,
    CommandError,
    print_json_line,
    print_note,
    print_table,
    show_progress,
)
from pipelines.terminal.nothing_made import nothing_made
from pipelines.terminal.signing_arguments import (
    add_sign_flag,
    read_signing_key,
    write_signature,
)
from pipelines.terminal.thresholds import change_thresholds
from transforms import select
from transforms.dataset.clean_schema import is_clean
from transforms.dataset.files import OutputError, hash_file
from transforms.dataset.folder import is_completed, prepare_output, write_manifest
from transforms.dataset.manifest import (
    MANIFEST,
    Manifest,
    hash_configuration,
    load_manifest,
    software_versions,
)
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


def load_segmenting(preset: str) -> Segmenter:
    """The segmenter of `preset`.

    Raises:
        CommandError: there is no such preset, or its segmenter cannot be loaded.
    """
    from transforms.models.loading import load_segmenter
    from transforms.models.spec import ModelError
    from transforms.presets import PresetError, load_preset

    try:
        return load_segmenter(load_preset(preset).segmenter)
    except (PresetError, ModelError) as error:
        raise CommandError(f"--segment {preset}: {error}") from error


def add_parser(subparsers: Any) -> None:
    """Add `rethreshold` to the command line."""
    parser = subparsers.add_parser(
        "rethreshold",
        help="select pairs anew with other thresholds, without any model",
        description="Make a new data set from the stored candidates of another, with other "
        "thresholds. Those not named stay as they were.",
    )
    parser.add_argument("folder", type=any_path, metavar="DIR", help="folder of the data set")
    parser.add_argument(
        "--out", type=any_path, required=True, metavar="DIR2", help="where to write"
    )
    parser.add_argument(
        "--threshold",
        action="extend",
        nargs="+",
        default=[],
        metavar="NAME=VALUE",
        help="a threshold of Select; VALUE `none` switches it off",
    )
    parser.add_argument(
        "--segment",
        metavar="PRESET",
        help="make masks for newly admitted pairs with the segmenter of this preset",
    )
    parser.add_argument(
        "--filter",
        action="extend",
        nargs="+",
        default=[],
        metavar="NAME=RULE",
        help="of a data set that was cleaned: another rule for what was measured; `none` for none",
    )
    add_sign_flag(parser)
    parser.add_argument("--overwrite", action="store_true", help="replace another data set in DIR2")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    parser.set_defaults(run=run)


def run(
    args: argparse.Namespace,
    *,
    open_source: OpenSource = open_source,
    load_segmenter: Callable[[str], Segmenter] = load_segmenting,
) -> int:
    """Select anew, write, print what became of the queries.

    `open_source` opens a source by its description in a manifest, `load_segmenter` gives the
    segmenter of a preset by its name or path.

    Raises:
        CommandError: something was asked for wrongly, or the segmenter cannot be loaded.
        OutputError, SourceError: as `rethreshold`.
    """
    if args.out.resolve() == args.folder.resolve():
        raise CommandError(f"--out must be another folder, got {args.out}", exit_code=EXIT_USAGE)
    key = read_signing_key(args.sign)
    parent = load_parent(args.folder)
    refuse_inside("--out", args.out, parent.source, parent.pool)
    segmenter = load_segmenter(args.segment) if args.segment else None
    if is_clean(parent.configuration):
        manifest = run_refilter(args, parent, segmenter, open_source)
        if key is not None:
            write_signature(args.out / MANIFEST, key)
        _print_outcome(parent, manifest, folder=args.out, with_json=args.json)
        return EXIT_OK
    if args.filter:
        raise CommandError(
            f"{args.folder} was not cleaned: use `pairloom clean --filter`", exit_code=EXIT_USAGE
        )
    thresholds = change_thresholds(parent.configuration["thresholds"], args.threshold)
    task = Rethreshold(
        args.folder, args.out, parent, thresholds, segmenter, args.segment, open_source
    )
    manifest = rethreshold(task, overwrite=args.overwrite)
    if key is not None:
        write_signature(args.out / MANIFEST, key)
    _print_outcome(parent, manifest, folder=args.out, with_json=args.json)
    return EXIT_OK


def load_parent(folder: Path) -> Manifest:
    """The manifest of a data set that can be selected from anew.

    Raises:
        OutputError: it is not finished, or its configuration does not say how it was selected.
    """
    manifest = load_manifest(folder)
    if not is_completed(folder):
        raise OutputError(f"{folder} must hold a finished data set, COMPLETED is missing")
    for name in ("thresholds", "edits"):
        if name not in manifest.configuration:
            raise OutputError(f"{folder}: the configuration in {MANIFEST} must have {name}")
    return manifest


def _print_outcome(parent: Manifest, manifest: Manifest, *, folder: Path, with_json: bool) -> None:
    before, after = parent.counts, manifest.counts
    names = ("sources", "sources_with_pairs", "queries", "pairs")
    rows: list[tuple[object, ...]] = [(n, getattr(before, n), getattr(after, n)) for n in names]
    for stage in (select.STAGE, FILTER):
        old, new = before.rejects.get(stage, {}), after.rejects.get(stage, {})
        rows += [(f"rejected: {r}", old.get(r, 0), new.get(r, 0)) for r in sorted({*old, *new})]
    print_table("selected anew", rows, columns=("", "before", "after"))
    if not after.pairs:
        what = f"pair of {after.queries} edits proposed is selected"
        print_note(nothing_made(what, after.rejects, where=folder))
    if with_json:
        counts = {"sources": after.sources, "pairs": after.pairs, "rejects": after.rejects}
        print_json_line({**counts, "pairs_before": before.pairs})


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
    stored = read_shard(task.folder, old)
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
    return write_contents(
        task.out, shard, contents, fetch=pictures.fetch, configuration_hash=digest
    )
