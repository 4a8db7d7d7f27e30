"""`pairloom rethreshold DIR --out DIR2`: other thresholds over the stored candidates, no model.

Every query of the data set is there with all its candidates and their scores, so that Select can be
done again. Pairs that were there before keep their pictures and masks; what is newly admitted is
fetched from where it came from.
"""

import argparse
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipelines.cleaning.deciding import FILTER
from pipelines.rethreshold.clean_writing import run_refilter
from pipelines.rethreshold.job import OpenSource, Rethreshold, count_new_pairs, rethreshold
from pipelines.rethreshold.precise import (
    Choice,
    add_precision_flags,
    choose_precise,
    describe_choice,
    read_wanted,
)
from pipelines.sources import open_source
from pipelines.terminal.arguments import any_path, refuse_inside
from pipelines.terminal.console import (
    EXIT_OK,
    EXIT_USAGE,
    CommandError,
    print_json_line,
    print_note,
    print_table,
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
from transforms.dataset.files import OutputError
from transforms.dataset.folder import is_completed
from transforms.dataset.manifest import MANIFEST, Manifest, load_manifest
from transforms.protocols import Segmenter


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
    add_precision_flags(parser)
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
    wanted = read_wanted(args)
    segmenter = load_segmenter(args.segment) if args.segment else None
    if is_clean(parent.configuration):
        manifest = run_refilter(args, parent, segmenter, open_source)
        if key is not None:
            write_signature(args.out / MANIFEST, key)
        _print_outcome(parent, manifest, folder=args.out, choice=None, with_json=args.json)
        return EXIT_OK
    if args.filter:
        raise CommandError(
            f"{args.folder} was not cleaned: use `pairloom clean --filter`", exit_code=EXIT_USAGE
        )
    thresholds = change_thresholds(parent.configuration["thresholds"], args.threshold)
    choice: Choice | None = None
    if wanted is not None:
        task = Rethreshold(args.folder, args.out, parent, thresholds)
        choice = choose_precise(
            args.folder,
            wanted,
            thresholds,
            count_new=functools.partial(count_new_pairs, task),
            marks=args.marks,
            judge=args.judge,
        )
        thresholds = choice.thresholds
        print(describe_choice(choice, wanted))
    task = Rethreshold(
        args.folder, args.out, parent, thresholds, segmenter, args.segment, open_source
    )
    manifest = rethreshold(task, overwrite=args.overwrite)
    if key is not None:
        write_signature(args.out / MANIFEST, key)
    _print_outcome(parent, manifest, folder=args.out, choice=choice, with_json=args.json)
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


def _print_outcome(
    parent: Manifest, manifest: Manifest, *, folder: Path, choice: Choice | None, with_json: bool
) -> None:
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
        chosen = {} if choice is None else {"chosen": choice.as_dict()}
        print_json_line({**counts, **chosen, "pairs_before": before.pairs})
