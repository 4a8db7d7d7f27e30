"""The command `pairloom rewrite`: what Rewrite makes of the captions in a text file."""

import argparse
import csv
import io
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from indexes.folder import open_index
from pipelines.build.index_words import sample_captions
from pipelines.rewrite.captions import KeyedCaption, read_captions
from pipelines.terminal.arguments import (
    JSON_HELP,
    any_path,
    require_file_place,
    whole_number,
)
from pipelines.terminal.console import (
    EXIT_USAGE,
    CommandError,
    print_json_line,
    print_note,
    show_progress,
)
from pipelines.terminal.editing_words import add_rewrite_flags, read_rewrite_options
from transforms.dataset.files import write_bytes
from transforms.models.loading import load_captioner, load_encoder
from transforms.presets import load_preset, place_preset
from transforms.protocols import Captioner, Encoder
from transforms.words.edits import Considered, Proposal
from transforms.words.gate import why_no_caption
from transforms.words.judging import BY_ENCODER, NO_JUDGE
from transforms.words.proposals import Rewriter, load_rewriter

COLUMNS = (
    "key",
    "caption",
    "edit_prompt",
    "source_phrase",
    "target_phrase",
    "relation",
    "part_of_speech",
    "plausibility",
)
"""Of the table that is written: the names of `EditQuery`, and how likely the pool makes it."""


def add_parser(subparsers: Any) -> None:
    """Adds `rewrite` to the command line's subparsers."""
    parser = subparsers.add_parser(
        "rewrite", help="the edits of captions in a text file, to be read before a build"
    )
    parser.add_argument("file", type=any_path, help="captions, one a line, or KEY<tab>CAPTION")
    pool = parser.add_mutually_exclusive_group()
    pool.add_argument(
        "--pool",
        type=any_path,
        metavar="FILE",
        help="a text file of captions that say which words occur, and in what company (default: "
        "FILE itself)",
    )
    pool.add_argument(
        "--index", type=any_path, metavar="DIR", help="the captions of this index say so"
    )
    pool.add_argument("--no-pool", action="store_true", help="any word of the table may be put in")
    parser.add_argument("--out", type=any_path, help="write the edits as a table of tabs here")
    parser.add_argument(
        "--explain",
        action="store_true",
        help="say of every word what might take its place, or why not",
    )
    parser.add_argument("--seed", type=whole_number(0), default=0)
    parser.add_argument("--edits", type=whole_number(1), default=1, help="edits of a caption")
    add_rewrite_flags(parser)
    parser.add_argument(
        "--preset", help="with --judge: the networks of which one judges, as for build"
    )
    parser.add_argument("--json", action="store_true", help=JSON_HELP)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Prints or writes the edits of the captions; the exit code is 0 also where there are none.

    Raises:
        CommandError: a file cannot be read, a flag breaks a rule, or the table has no place.
        IndexFolderError: the index cannot be read.
        TaggerError, PresetError, ModelError: a tagger or a network cannot be loaded.
        OutputError: the table cannot be written.
    """
    if arguments.out is not None:
        require_file_place("--out", arguments.out)
    options = read_rewrite_options(arguments, edits=arguments.edits)
    captions = read_captions(arguments.file)
    encoder, captioner = load_judging(arguments)
    rewriter = load_rewriter(
        options, find_pool(arguments, captions), encoder=encoder, captioner=captioner
    )
    if arguments.explain:
        for each in captions:
            print(explain(rewriter, each))
        return 0
    rows: list[tuple[KeyedCaption, Proposal]] = []
    changed, reasons = 0, Counter[str]()
    with show_progress("rewriting", len(captions), unit="captions") as advance:
        for each in captions:
            proposals = rewriter.propose(each.caption, each.key)
            rows += [(each, proposal) for proposal in proposals]
            changed += bool(proposals)
            if not proposals:
                no_caption = why_no_caption(each.caption)
                reasons["not_descriptive" if no_caption else "nothing_to_change"] += 1
            advance(1)
    table = format_table(rows)
    if arguments.out is None:
        print(table, end="")
    else:
        write_bytes(arguments.out, table.encode())
    rejects = ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items()))
    print_note(
        f"{len(rows)} edits of {changed} of {len(captions)} captions"
        + (f"; {rejects}" if rejects else "")
    )
    if arguments.json:
        print_json_line(
            {
                "captions": len(captions),
                "with_an_edit": changed,
                "edits": len(rows),
                "rejects": dict(sorted(reasons.items())),
            }
        )
    return 0


def load_judging(arguments: argparse.Namespace) -> tuple[Encoder | None, Captioner | None]:
    """The encoder or the captioner that judges edits, where one is asked for.

    Raises:
        CommandError: it is asked for without a preset or without a pool.
        PresetError, ModelError: it cannot be loaded.
    """
    preset = None if arguments.preset is None else load_preset(arguments.preset)
    if arguments.judge == NO_JUDGE:
        return None, None  # a preset that cannot be used is told of all the same
    for flag, missing in (
        ("a --preset that has one", preset is None),
        ("the captions of a pool, so no --no-pool", arguments.no_pool),
    ):
        if missing:
            raise CommandError(f"--judge {arguments.judge} needs {flag}", exit_code=EXIT_USAGE)
    assert preset is not None
    placed = place_preset(preset)
    if arguments.judge == BY_ENCODER:
        return load_encoder(placed.encoder), None
    return None, load_captioner(placed.captioner)


def find_pool(
    arguments: argparse.Namespace, captions: Iterable[KeyedCaption]
) -> Iterator[str] | None:
    """The captions that say what may be put in; None where any word may.

    Raises:
        CommandError, IndexFolderError: they cannot be read.
    """
    if arguments.no_pool:
        return None
    if arguments.index is not None:
        return sample_captions(open_index(arguments.index))
    pool = captions if arguments.pool is None else read_captions(arguments.pool)
    return (each.caption for each in pool)


def format_table(rows: Iterable[tuple[KeyedCaption, Proposal]]) -> str:
    """The edits as lines of tab-separated cells below a line of `COLUMNS`."""
    text = io.StringIO()
    writer = csv.writer(text, dialect="excel-tab", lineterminator="\n")
    writer.writerow(COLUMNS)
    for each, one in rows:
        cells = (each.key, each.caption, one.edit_prompt, one.source_phrase, one.target_phrase)
        writer.writerow((*cells, one.relation, one.part_of_speech, f"{one.plausibility:.2f}"))
    return text.getvalue()


def explain(rewriter: Rewriter, each: KeyedCaption) -> str:
    """What became of every word of a caption: lines of text.

    First the caption, then a line a substitute: `+` with the changed caption and its plausibility,
    `-` with the reason why it is not put in.
    """
    lines = [f"{each.key}\t{each.caption}"]
    considered = rewriter.consider(each.caption)
    lines += [_explained(one) for one in considered]
    if not considered:
        lines.append("  - no noun or adjective of the table stands by itself")
    return "\n".join(lines)


def _explained(one: Considered) -> str:
    exchange = f"{one.source} > {one.target}" if one.target else one.source
    if one.proposal is None:
        return f"  - {exchange}: {one.why_not}" if exchange else f"  - {one.why_not}"
    return f"  + {exchange} ({one.proposal.plausibility:+.1f}): {one.proposal.edit_prompt}"
