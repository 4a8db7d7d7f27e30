"""`pairloom index SOURCE --out DIR`: captions, embeddings and a search index of a collection."""

import argparse
from typing import Any

from indexes.index_choice import DEFAULT_MEMORY_GIB
from indexes.storage.paths import as_path
from pipelines.index.job import IndexSummary, run_index
from pipelines.index.plan import IndexPlan, index_parts
from pipelines.index.stored import looks_like_embeddings
from pipelines.near_copies.index_groups import group_index
from pipelines.running.execution_arguments import add_execution_flags, read_execution
from pipelines.sources import open_source
from pipelines.terminal.arguments import (
    any_path,
    existing_folder,
    positive_number,
    refuse_inside,
    whole_number,
)
from pipelines.terminal.console import (
    EXIT_USAGE,
    CommandError,
    format_seconds,
    print_json_line,
    print_table,
)
from pipelines.terminal.device_arguments import (
    add_device_flags,
    read_batch_size,
    read_placed_preset,
)
from pipelines.terminal.source_filters import add_source_filter_flag, read_source_filters
from transforms.caption import CAPTIONS


def add_parser(subparsers: Any) -> None:
    """Adds `index` to the command line."""
    parser = subparsers.add_parser(
        "index",
        help="caption and embed a collection, for pairs to be found in",
        description="Caption and embed every picture of SOURCE and make a search index of it. "
        "Run again after an interruption, it goes on where it was; where SOURCE has changed since, "
        "it says so and leaves the index as it is.",
    )
    parser.add_argument(
        "source",
        help="a folder, img2dataset output, a source file (.yaml), or still-life; as all folders "
        "it may be on a store, such as s3://bucket/pictures",
    )
    parser.add_argument(
        "--out", required=True, type=any_path, metavar="DIR", help="folder of the index"
    )
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="replace another index there, or one of SOURCE as it was before",
    )
    parser.add_argument("--preset", default="stilllife", help="networks to use (default stilllife)")
    parser.add_argument(
        "--captions",
        choices=CAPTIONS,
        default="model",
        help="who says what a picture shows: the captioner, or the source itself",
    )
    parser.add_argument(
        "--embeddings",
        type=existing_folder,
        metavar="DIR",
        help="take the embeddings that `clip-retrieval inference` made of SOURCE's pictures with "
        "the preset's encoder, instead of making them",
    )
    parser.add_argument("--seed", type=whole_number(0), default=0)
    add_device_flags(parser)
    add_source_filter_flag(parser)
    parser.add_argument(
        "--index-memory",
        type=positive_number,
        default=DEFAULT_MEMORY_GIB,
        metavar="GIB",
        help="memory that the search index is to fit in; of more pictures it holds shortened "
        "vectors (default 16)",
    )
    parser.add_argument(
        "--near-copies",
        action="store_true",
        help="find the groups of near-copies as well, by which data sets are cleaned and split; an "
        "index that is there is given them",
    )
    add_execution_flags(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Makes the index and tells what is in it."""
    execution, preset = read_execution(arguments), read_placed_preset(arguments)
    _refuse_embeddings(arguments.source)
    plan = IndexPlan(
        source=open_source(arguments.source),
        preset=preset,
        folder=str(arguments.out),
        captions=arguments.captions,
        batch_size=read_batch_size(arguments, preset, index_parts(arguments.captions)),
        seed=arguments.seed,
        embeddings=None if arguments.embeddings is None else str(arguments.embeddings),
        index_memory_gib=arguments.index_memory,
        source_filters=read_source_filters(arguments),
    )
    refuse_inside("--out", arguments.out, plan.source.describe())
    summary = run_index(plan, execution, overwrite=arguments.overwrite)
    groups = None
    if arguments.near_copies:
        groups = group_index(as_path(plan.folder), plan.source, execution)["groups"]
    print_index_summary(summary, groups)
    if arguments.json:
        print_json_line(summary.as_dict() | ({} if groups is None else {"groups": groups}))
    return 0


def _refuse_embeddings(source: str) -> None:
    """Makes sure that SOURCE is not a folder of embeddings, whose pictures lie elsewhere."""
    if looks_like_embeddings(as_path(source)):
        raise CommandError(
            f"{source} holds embeddings that clip-retrieval wrote, and no pictures: name the "
            f"pictures they were made of, `pairloom index PICTURES --embeddings {source}`",
            exit_code=EXIT_USAGE,
        )


def print_index_summary(summary: IndexSummary, groups: int | None = None) -> None:
    """The table at the end of an index run; `groups` of near-copies, where they were made."""
    rows: list[tuple[object, ...]] = [
        ("pictures read", summary.sources),
        ("in the index", summary.indexed),
        *((f"rejected, {reason}", count) for reason, count in summary.rejects.items()),
        *([] if groups is None else [("groups of near-copies", groups)]),
        ("parts", summary.parts),
        ("of these already there", summary.parts_skipped),
        *((f"time in {name}", format_seconds(s)) for name, s in summary.seconds.items()),
    ]
    print_table(f"index {summary.folder}", rows)
