"""`pairloom build SOURCE --index DIR --out DIR`: the pair data set."""

import argparse
import dataclasses
from typing import Any

from editing.regions.registry import REGIONS
from editing.trained_part import ADAPTATION_HEADS
from pipelines.build.clean_pairs import choose_folder, clean_pairs
from pipelines.build.job import BuildSummary, run_build
from pipelines.build.plan import SENSES, BuildOptions, BuildPlan, plan_build
from pipelines.build.regions import BY_SEGMENTER
from pipelines.build.service_plan import is_service, plan_service_build
from pipelines.cleaning.deciding import STAGES
from pipelines.cleaning.reading import print_clean_summary, read_clean_options, summarise
from pipelines.running.execution_arguments import add_execution_flags, read_execution
from pipelines.sources import open_source
from pipelines.terminal.arguments import (
    any_path,
    choices,
    existing_folder,
    local_path,
    refuse_inside,
    whole_number,
)
from pipelines.terminal.clean_arguments import add_clean_flags
from pipelines.terminal.console import (
    CommandError,
    format_seconds,
    print_json_line,
    print_note,
    print_table,
)
from pipelines.terminal.device_arguments import (
    add_device_flags,
    read_batch_size,
    read_placed_preset,
)
from pipelines.terminal.editing_words import add_rewrite_flags, read_rewrite_options
from pipelines.terminal.nothing_made import nothing_made
from pipelines.terminal.signing_arguments import (
    add_sign_flag,
    read_signing_key,
    write_signature,
)
from pipelines.terminal.source_filters import add_source_filter_flag, read_source_filters
from pipelines.terminal.thresholds import change_thresholds
from transforms.caption import CAPTIONS
from transforms.dataset.manifest import MANIFEST
from transforms.fetching.options import FetchOptions
from transforms.presets import PIPELINE_PARTS, Preset
from transforms.record import SEARCH_METHODS
from transforms.retrieve import CANDIDATE_KINDS, QUERY_KINDS, RetrieveOptions
from transforms.select import SelectionThresholds, baseline


def add_parser(subparsers: Any) -> None:
    """Adds `build` to the command line."""
    parser = subparsers.add_parser(
        "build",
        help="make edit pairs from a collection and an index",
        description="Make a data set of edit pairs: for each picture of SOURCE a changed caption "
        "and the picture of the index that shows it. Run again after an interruption, it goes on "
        "where it was.",
    )
    parser.add_argument(
        "source",
        help="a folder, img2dataset output, a source file (.yaml), or still-life; as all folders "
        "it may be on a store, such as s3://bucket/pictures",
    )
    parser.add_argument(
        "--index",
        required=True,
        type=_index,
        metavar="DIR",
        help="made by index, or the address of a `clip-retrieval back`, like http://localhost:1234",
    )
    parser.add_argument(
        "--index-name", metavar="NAME", help="which index of the service, where it has several"
    )
    parser.add_argument(
        "--allow-address",
        action="append",
        default=[],
        metavar="NETWORK",
        help="with a service: fetch its pictures from this network too, which is not public, e.g. "
        "10.1.0.0/16; may be repeated",
    )
    parser.add_argument(
        "--out", required=True, type=any_path, metavar="DIR", help="folder of the data set"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace another data set there")
    parser.add_argument("--preset", default="stilllife", help="networks to use (default stilllife)")
    parser.add_argument("--seed", type=whole_number(0), default=0)
    add_device_flags(parser)
    _add_choice_flags(parser)
    add_source_filter_flag(parser)
    add_clean_flags(parser)
    add_sign_flag(parser)
    add_execution_flags(parser)
    parser.set_defaults(run=run)


def _add_choice_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--captions", choices=CAPTIONS, default="model")
    parser.add_argument(
        "--method",
        choices=SEARCH_METHODS,
        default="search",
        help="search: change a caption and look for its picture; mine: join captions of the index "
        "that differ in one noun phrase",
    )
    parser.add_argument(
        "--senses",
        choices=SENSES,
        help="what decides the sense of a word besides its neighbours (default: what the preset "
        "says, frequency for stilllife, whose encoder knows that world's words alone; else the "
        "picture)",
    )
    finders = ", ".join(f"{spec.name} ({spec.summary})" for spec in REGIONS.values())
    parser.add_argument(
        "--regions",
        choices=REGIONS,
        default=BY_SEGMENTER,
        help=f"what makes the masks: {finders} (default {BY_SEGMENTER})",
    )
    parser.add_argument(
        "--edits", type=whole_number(1), default=1, help="pairs wanted of a picture (default 1)"
    )
    parser.add_argument(
        "--attempts",
        type=whole_number(1),
        default=4,
        help="edits to try for a picture until it has its pairs (default 4)",
    )
    add_rewrite_flags(parser)
    parser.add_argument(
        "--query", choices=QUERY_KINDS, default="text", help="query vector; mean is iEdit's"
    )
    parser.add_argument("--query-weight", type=float, help="w of the queries delta and blend")
    parser.add_argument(
        "--candidates",
        choices=CANDIDATE_KINDS,
        default="both",
        help=f"where candidates come from: {choices(CANDIDATE_KINDS)}",
    )
    parser.add_argument("--candidates-per-edit", type=whole_number(1), default=16)
    parser.add_argument(
        "--structure-weight",
        type=float,
        metavar="W",
        help="look for candidates that also lie where the source's things lie: of the "
        "--structure-depth nearest those with the highest cosine + W structure (default: by the "
        "query vector alone)",
    )
    parser.add_argument("--structure-depth", type=whole_number(1), default=256, metavar="N")
    parser.add_argument(
        "--heads",
        type=local_path,
        metavar="RUN",
        help="adaptation heads, in whose space the query is made and searched: a run of train on "
        "an index, or the folder of the heads (default: the encoder's own space)",
    )
    parser.add_argument(
        "--threshold",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a threshold of selection; VALUE none switches it off (may be repeated)",
    )
    parser.add_argument(
        "--no-selection",
        action="store_true",
        help="take the nearest neighbour whatever it is, as the paper does",
    )


def read_options(arguments: argparse.Namespace, preset: Preset) -> BuildOptions:
    """The build's choices, checked; where none was made, what suits `preset`.

    Raises:
        CommandError: a value that breaks a rule.
    """
    try:
        thresholds = baseline() if arguments.no_selection else SelectionThresholds()
        return BuildOptions(
            seed=arguments.seed,
            edits=arguments.edits,
            captions=arguments.captions,
            method=arguments.method,
            senses=arguments.senses or preset.defaults.get("senses", "picture"),
            regions=arguments.regions,
            batch_size=read_batch_size(arguments, preset, PIPELINE_PARTS),
            rewrite=read_rewrite_options(arguments, edits=max(arguments.attempts, arguments.edits)),
            retrieve=RetrieveOptions(
                query=arguments.query,
                weight=arguments.query_weight,
                candidates=arguments.candidates,
                k=arguments.candidates_per_edit,
                cap=arguments.candidates_per_edit,
                structure_weight=arguments.structure_weight,
                structure_depth=arguments.structure_depth,
            ),
            thresholds=change_thresholds(dataclasses.asdict(thresholds), arguments.threshold),
            source_filters=read_source_filters(arguments),
        )
    except ValueError as error:
        raise CommandError(str(error), exit_code=2) from error


def run(arguments: argparse.Namespace) -> int:
    """Builds the data set and tells what is in it."""
    key = read_signing_key(arguments.sign)
    execution, preset = read_execution(arguments), read_placed_preset(arguments)
    options = read_options(arguments, preset)
    cleaning = read_clean_options(arguments, seed=arguments.seed)
    plan = _plan(arguments, preset, options, folder=str(choose_folder(arguments, cleaning)))
    refuse_inside("--out", arguments.out, plan.source.describe(), plan.pool.describe())
    if plan.service is None:
        refuse_inside("--index", arguments.index, plan.source.describe())
    summary = run_build(plan, execution, overwrite=arguments.overwrite)
    print_build_summary(summary)
    told = summary.as_dict()
    if not cleaning.is_nothing:
        manifest = clean_pairs(arguments, plan, cleaning, execution)
        print_clean_summary(manifest, arguments.out, STAGES)
        told |= {"cleaned": summarise(manifest, arguments.out)}
    if key is not None:
        write_signature(arguments.out / MANIFEST, key)
    if not summary.counts.pairs:
        what = f"pair of {summary.counts.sources} pictures could be made"
        print_note(nothing_made(what, summary.counts.rejects, where=summary.folder))
    if arguments.json:
        print_json_line(told)
    return 0


def _index(text: str) -> str:
    """An argparse type: a folder that is there, or the address of a service."""
    return text if is_service(text) else str(existing_folder(text))


def _plan(
    arguments: argparse.Namespace, preset: Preset, options: BuildOptions, *, folder: str
) -> BuildPlan:
    source = open_source(arguments.source)
    if is_service(arguments.index):
        if arguments.heads is not None or options.retrieve.structure_weight is not None:
            raise CommandError(
                "--heads and --structure-weight need an --index that is a folder: a service gives "
                "neither embeddings nor structure",
                exit_code=2,
            )
        try:
            return plan_service_build(
                source=source,
                url=arguments.index,
                name=arguments.index_name,
                preset=preset,
                options=options,
                folder=folder,
                fetch=FetchOptions(allow_addresses=tuple(arguments.allow_address)),
            )
        except ValueError as error:
            raise CommandError(str(error), exit_code=2) from error
    for flag, given in (
        ("--index-name", arguments.index_name),
        ("--allow-address", arguments.allow_address),
    ):
        if given:
            raise CommandError(f"{flag} belongs to an --index that is a service", exit_code=2)
    return plan_build(
        source=source,
        index_folder=arguments.index,
        open_pool=open_source,
        preset=preset,
        options=options,
        folder=folder,
        heads=ADAPTATION_HEADS.spec(arguments.heads) if arguments.heads is not None else None,
    )


def print_build_summary(summary: BuildSummary) -> None:
    """The table at the end of a build."""
    counts = summary.counts
    rows: list[tuple[object, ...]] = [
        ("sources", counts.sources),
        ("with a pair", counts.sources_with_pairs),
        ("edits proposed", counts.queries),
        ("pairs", counts.pairs),
        *(
            (f"rejected, {stage}: {reason}", number)
            for stage, reasons in counts.rejects.items()
            for reason, number in reasons.items()
        ),
        ("shards", summary.shards),
        ("of these already there", summary.shards_skipped),
        *((f"time in {name}", format_seconds(s)) for name, s in summary.seconds.items()),
    ]
    print_table(f"data set {summary.folder}", rows)
