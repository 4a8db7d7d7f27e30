"""Counts which edit instructions a person found grammatical, and whether today's are the same.

    python benchmarks/edit_instructions.py [--captions NAME=FILE ...] [--seed 5] [--json]

The marks are in data_manifests/lexicon/instructions.tsv: 300 instructions, 75 each of edits of
still lifes, Flickr8k, COCO and Conceptual Captions, drawn by seed 5, among 40 that were spoilt by a
wrong article, a plural or a missing word; shuffled, and read by one person, an author of the rules,
who was not told which were spoilt and did not see the captions. 1 is grammatical, 0 is not. That
most of the spoilt ones were found shows that it was a reading. The captions are not ours to ship:
the marks name them by the keys of their sets. The instructions of the still lifes are made anew and
held against those that were judged; those of the other sets where `--captions` gives their files,
KEY<tab>CAPTION.
"""

import argparse
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import support.silent_libraries  # noqa: F401
from support.intervals import wilson
from support.reporting import Target, add_report_flags, at_least, finish

from pipelines.rewrite.captions import read_captions
from pipelines.still_life.source import StillLifeSource
from pipelines.terminal.console import CommandError, print_table
from transforms.package_data import find_package_data
from transforms.record import SourceImage
from transforms.words.proposals import RewriteOptions, load_rewriter

MARKS = find_package_data("data_manifests", "lexicon/instructions.tsv")
STILL_LIFE = "still_life"
DRAW_SEED = 5
POOL = 400


@dataclass(frozen=True)
class InstructionMark:
    """One instruction that was read: of which caption, whether it was spoilt, and the mark."""

    set: str
    key: str
    instruction: str
    spoilt: bool
    grammatical: bool


def read_marks() -> list[InstructionMark]:
    """All marks, in the order in which they were given."""
    lines = MARKS.read_text(encoding="utf-8").splitlines()[1:]
    cells = [line.split("\t") for line in lines]
    return [
        InstructionMark(each[0], each[1], each[5], each[6] == "1", each[7] == "1") for each in cells
    ]


def count_marks(marks: Sequence[InstructionMark]) -> dict[str, dict[str, int]]:
    """How many were read and found grammatical, by set, as a whole, and of the spoilt ones."""
    groups = {name: [m for m in marks if m.set == name and not m.spoilt] for name in _sets(marks)}
    groups["all"] = [mark for mark in marks if not mark.spoilt]
    groups["spoilt"] = [mark for mark in marks if mark.spoilt]
    return {
        name: {"judged": len(found), "grammatical": sum(mark.grammatical for mark in found)}
        for name, found in groups.items()
    }


def _sets(marks: Iterable[InstructionMark]) -> list[str]:
    return list(dict.fromkeys(sorted(mark.set for mark in marks)))


def make_again(captions: Mapping[str, str], seed: int) -> dict[str, str]:
    """The instruction of the first edit of each caption, by key."""
    rewriter = load_rewriter(RewriteOptions(seed=seed))
    writer = rewriter.instructions
    proposals = {key: rewriter.propose(caption, key) for key, caption in captions.items()}
    return {key: writer.write(found[0], f"{key}-0") for key, found in proposals.items() if found}


def still_life_captions(seed: int) -> dict[str, str]:
    """What the pictures show that the marks are of, by key."""
    source = StillLifeSource(count=POOL, seed=seed, told=True)
    records = (record for shard in source.shards() for record in source.read(shard))
    return {
        record.key: record.alt_text.splitlines()[0]
        for record in records
        if isinstance(record, SourceImage) and record.alt_text
    }


def compare(
    marks: Sequence[InstructionMark], name: str, captions: Mapping[str, str], seed: int
) -> dict[str, int]:
    """How many of the judged instructions of a set are those that are made today."""
    judged = [mark for mark in marks if mark.set == name and not mark.spoilt]
    wanted = {mark.key: captions[mark.key] for mark in judged if mark.key in captions}
    again = make_again(wanted, seed)
    same = sum(again.get(mark.key) == mark.instruction for mark in judged)
    return {"judged": len(judged), "same": same}


def list_targets(figures: Mapping[str, Any]) -> list[Target]:
    """That instructions are grammatical, and that today's are those that were judged."""
    found, spoilt = figures["marks"]["all"], figures["marks"]["spoilt"]
    targets = [
        Target(
            name="grammatical instructions",
            value=found["grammatical"] / found["judged"],
            bound=at_least(0.99),
            interval=wilson(found["grammatical"], found["judged"]),
        ),
        Target(
            name="spoilt instructions that were found",
            value=1 - spoilt["grammatical"] / spoilt["judged"],
        ),
    ]
    targets += [
        Target(
            name=f"judged instructions that are made today, {name}",
            value=each["same"] / each["judged"],
            bound=at_least(1.0, kind="guard"),
        )
        for name, each in sorted(figures["today"].items())
    ]
    return targets


def main() -> int:
    """Counts, compares, prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--captions",
        action="append",
        default=[],
        metavar="NAME=FILE",
        help="captions that instructions were judged of, KEY<tab>CAPTION a line (may be repeated)",
    )
    add_report_flags(parser, seed_help=f"of the edits that were judged (default {DRAW_SEED})")
    parser.set_defaults(seed=DRAW_SEED)
    arguments = parser.parse_args()
    marks = read_marks()
    captions = {STILL_LIFE: still_life_captions(arguments.seed)}
    for given in arguments.captions:
        name, _, path = given.partition("=")
        try:
            captions[name] = {each.key: each.caption for each in read_captions(Path(path))}
        except CommandError as error:
            print(f"edit_instructions: {error}", file=sys.stderr)
            return 2
    figures = {
        "marks": count_marks(marks),
        "today": {
            name: compare(marks, name, found, arguments.seed) for name, found in captions.items()
        },
    }
    print_table(
        "instructions that were read",
        [(name, each["judged"], each["grammatical"]) for name, each in figures["marks"].items()],
        columns=("set", "judged", "grammatical"),
    )
    finish(arguments, figures=figures, targets=list_targets(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
