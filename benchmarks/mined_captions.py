"""Counts the pairs that mining finds among captions, and which of them a person found good.

    python benchmarks/mined_captions.py [--captions FILE ...] [--seed 0] [--json]

The marks are in data_manifests/lexicon/mined_captions.tsv: pairs of captions of Flickr8k, mined by
today's rules (`new`: captions that are one noun phrase apart) and those of 0.1 (`old`: one word
apart), shuffled and judged by one person who was not told which was whose. 2 is good: both captions
can be true of pictures that differ in just that thing, and the difference is seen; 1 is doubtful:
it is hardly seen, or both may be said of one picture; 0 is wrong. The captions are not ours to
ship: the marks name them by the keys of their sets. `--captions` takes a file of one's own,
KEY<tab>CAPTION a line, where KEY#0, KEY#1 and so on are captions of one picture. A pair is counted
once, in whichever direction it is found; nothing is drawn.
"""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import support.silent_libraries  # noqa: F401
from support.intervals import wilson
from support.reporting import Target, add_report_flags, at_least, finish

from pipelines.rewrite.captions import read_captions
from pipelines.terminal.console import CommandError
from transforms.package_data import find_package_data
from transforms.words.caption_pairs import MinedEdit, MineOptions, PoolEntry, SourceEntry, mine
from transforms.words.caption_reading import CaptionReading, OneWord
from transforms.words.near_captions import NearCaptions
from transforms.words.relations import LexiconRelations

MARKS = find_package_data("data_manifests", "lexicon/mined_captions.tsv")
LEAST_GROWTH = 10
LEAST_GOOD = 0.93
ALL = MineOptions(edits=1_000_000, cap=1_000_000)

Pictures = dict[str, list[str]]
"""The captions of each picture, by its key."""


@dataclass(frozen=True)
class Mark:
    """What a person found of one pair: mined by which rules, and how good."""

    rules: str
    good: int


def read_marks() -> list[Mark]:
    """All marks, in the order of the file."""
    lines = MARKS.read_text(encoding="utf-8").splitlines()[1:]
    cells = [line.split("\t") for line in lines]
    return [Mark(each[0], int(each[-1])) for each in cells]


def count_marks(marks: list[Mark]) -> dict[str, dict[str, int]]:
    """How many pairs were judged, good and wrong, by the rules they were mined by."""
    counted = {}
    for rules in ("new", "old"):
        found = [mark.good for mark in marks if mark.rules == rules]
        counted[rules] = {"judged": len(found), "good": found.count(2), "wrong": found.count(0)}
    return counted


def read_pictures(path: Path) -> Pictures:
    """The captions of a file by picture.

    Raises:
        CommandError: the file cannot be read.
    """
    pictures: Pictures = {}
    for each in read_captions(path):
        pictures.setdefault(each.key.partition("#")[0], []).append(each.caption)
    return pictures


def mine_pairs(
    pictures: Mapping[str, list[str]], reading: CaptionReading, *, most: int | None = None
) -> dict[frozenset[str], MinedEdit]:
    """An edit for each pair of pictures that has any, of their first `most` captions."""
    entries = [
        (key, captions[0], tuple(captions[1:most])) for key, captions in sorted(pictures.items())
    ]
    pool = [PoolEntry(row, *entry) for row, entry in enumerate(entries)]
    sources = [SourceEntry("", *entry) for entry in entries]
    pairs: dict[frozenset[str], MinedEdit] = {}
    for key, found in mine(sources, pool, reading, ALL).items():
        for edit in found.edits:
            for entry in edit.entries:
                pairs.setdefault(frozenset((key, entry.key)), edit)
    return pairs


def measure_pairs(pictures: Pictures) -> dict[str, Any]:
    """How many pairs of pictures the rules of 0.1 and today's find, and what they exchange."""
    words, near = OneWord(LexiconRelations()), NearCaptions()
    first = mine_pairs(pictures, words, most=1)
    earlier = mine_pairs(pictures, words)
    began = time.thread_time()
    today = mine_pairs(pictures, near)
    seconds = time.thread_time() - began
    kinds = Counter(
        "person" if edit.rarely else edit.relation.part_of_speech for edit in today.values()
    )
    captions = sum(map(len, pictures.values()))
    return {
        "pictures": len(pictures),
        "captions": captions,
        "old_pairs_of_first_captions": len(first),
        "old_pairs": len(earlier),
        "new_pairs": len(today),
        "growth": len(today) / max(1, len(earlier)),
        "kinds": {kind: count / max(1, len(today)) for kind, count in sorted(kinds.items())},
        # Each caption is read twice: as a source's and as one of the pool.
        "captions_per_second": 2 * captions / max(seconds, 1e-9),
    }


def list_targets(figures: Mapping[str, Any]) -> list[Target]:
    """The share of good pairs among those judged, and how many more there are than by 0.1."""
    found = figures["marks"]["new"]
    targets = [
        Target(
            name="good pairs, flickr8k",
            value=found["good"] / found["judged"],
            bound=at_least(LEAST_GOOD),
            interval=wilson(found["good"], found["judged"]),
        )
    ]
    for name, measured in sorted(figures["captions"].items()):
        targets.append(
            Target(
                name=f"pairs, times those of 0.1, {name}",
                value=measured["growth"],
                bound=at_least(LEAST_GROWTH),
            )
        )
    return targets


def main() -> int:
    """Prints counts and shares."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--captions",
        action="append",
        default=[],
        type=Path,
        metavar="FILE",
        help="captions to mine, KEY<tab>CAPTION a line (may be repeated)",
    )
    add_report_flags(parser, seed_help="of no account: all pairs are counted")
    arguments = parser.parse_args()
    figures: dict[str, Any] = {"marks": count_marks(read_marks()), "captions": {}}
    for path in arguments.captions:
        try:
            figures["captions"][path.stem] = measure_pairs(read_pictures(path))
        except CommandError as error:
            print(f"mined_captions: {error}", file=sys.stderr)
            return 2
    for rules, found in figures["marks"].items():
        share = found["good"] / max(1, found["judged"])
        print(
            f"{rules}: {found['good']} of {found['judged']} pairs good ({share:.1%}), "
            f"{found['wrong']} wrong"
        )
    for name, measured in figures["captions"].items():
        kinds = ", ".join(f"{kind} {share:.0%}" for kind, share in measured["kinds"].items())
        print(
            f"{name}: {measured['new_pairs']} pairs of {measured['pictures']} pictures ({kinds}), "
            f"{measured['old_pairs']} by the rules of 0.1, {measured['captions_per_second']:.0f} "
            "captions a second"
        )
    finish(arguments, figures=figures, targets=list_targets(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
