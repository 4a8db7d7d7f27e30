"""Counts which edits of real captions a person found sensible, and how many captions get an edit.

    python benchmarks/real_captions.py [--captions NAME=FILE ...] [--seed 0] [--json]

The marks are in data_manifests/lexicon/real_captions.tsv: edits of Flickr8k, COCO and Conceptual
Captions by today's rewriter (`new`), shuffled among those of an earlier one, and judged by one
person who was not told which was whose. 2 is sensible: it can be seen, differs to the eye and could
be true of a picture like that; 1 is unlikely or hardly visible; 0 is nonsense. Rounds 1 and 2 have
the rewriter of 0.1 beside them (`old`), rounds 3 to 6 and 8, judged more strictly, that of round 2
(`before`). The rules were changed after every round up to the fifth, each of captions drawn anew.
Round 7, of the new one alone, tried a rule that was taken back. The captions are not ours to ship:
the marks name them by the keys of their sets. `--captions` takes files of one's own,
KEY<tab>CAPTION, and counts the captions that get an edit, each file being its own pool.
"""

import argparse
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import support.silent_libraries  # noqa: F401
from support.intervals import wilson
from support.real_marks import EditMark, read_marks
from support.reporting import Target, add_report_flags, at_least, at_most, finish

from pipelines.rewrite.captions import read_captions
from pipelines.terminal.console import CommandError
from transforms.words.proposals import RewriteOptions, load_rewriter

SETS = {"flickr8k and coco": ("flickr8k", "coco"), "alt text": ("cc",)}
LAST_ROUNDS = ("6", "8")
ROUNDS = {"new": LAST_ROUNDS, "before": ("3", "4", "5", *LAST_ROUNDS), "old": ("2",)}
"""Whose marks count: of today's rewriter those that no rule was changed after, of the others all
that were judged beside it."""

LEAST_COVERAGE = {"flickr8k": 0.80, "coco": 0.75, "cc": 0.40}


def count_marks(marks: list[EditMark]) -> dict[str, dict[str, int]]:
    """How many edits were judged, sensible and nonsense, by `rewriter: sets`, in its `ROUNDS`."""
    counted = {}
    for rewriter, rounds in ROUNDS.items():
        for name, sets in SETS.items():
            found = [
                mark.sensible
                for mark in marks
                if mark.rewriter == rewriter and mark.set in sets and mark.round in rounds
            ]
            counted[f"{rewriter}: {name}"] = {
                "judged": len(found),
                "sensible": found.count(2),
                "nonsense": found.count(0),
            }
    return counted


def measure_coverage(path: Path, seed: int) -> dict[str, float]:
    """The share of the captions in a file that get an edit, and captions a second of this thread.

    Raises:
        CommandError: the file cannot be read.
    """
    captions = read_captions(path)
    rewriter = load_rewriter(RewriteOptions(seed=seed), (each.caption for each in captions))
    began = time.thread_time()
    edited = sum(bool(rewriter.propose(each.caption, each.key)) for each in captions)
    seconds = time.thread_time() - began
    return {
        "captions": len(captions),
        "with_an_edit": edited / len(captions),
        "captions_per_second": len(captions) / max(seconds, 1e-9),
    }


def list_targets(figures: Mapping[str, Any]) -> list[Target]:
    """Sense and nonsense of the judged edits, and coverage and speed where they were measured."""
    targets = []
    goals = {"flickr8k and coco": at_least(0.92), "alt text": at_least(0.80)}
    for name, goal in goals.items():
        found = figures["marks"][f"new: {name}"]
        judged, sensible, nonsense = found["judged"], found["sensible"], found["nonsense"]
        targets.append(
            Target(
                name=f"sensible edits, {name}",
                value=sensible / judged,
                bound=goal,
                interval=wilson(sensible, judged),
            )
        )
        if name != "alt text":
            targets.append(
                Target(
                    name=f"nonsense, {name}",
                    value=nonsense / judged,
                    bound=at_most(0.01, kind="aim"),
                    interval=wilson(nonsense, judged),
                )
            )
    for name in sorted(figures["coverage"]):
        found = figures["coverage"][name]
        if name in LEAST_COVERAGE:
            targets.append(
                Target(
                    name=f"captions with an edit, {name}",
                    value=found["with_an_edit"],
                    bound=at_least(LEAST_COVERAGE[name], kind="aim"),
                )
            )
        targets.append(
            Target(
                name=f"captions a second of one core, {name}",
                value=found["captions_per_second"],
                bound=at_least(500),
            )
        )
    return targets


def main() -> int:
    """Prints the shares."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--captions",
        action="append",
        default=[],
        metavar="NAME=FILE",
        help="captions to rewrite, KEY<tab>CAPTION a line (may be repeated)",
    )
    add_report_flags(parser, seed_help="draws the edits of --captions (default 0)")
    arguments = parser.parse_args()
    figures: dict[str, Any] = {"marks": count_marks(read_marks()), "coverage": {}}
    for given in arguments.captions:
        name, _, path = given.partition("=")
        try:
            figures["coverage"][name] = measure_coverage(Path(path), arguments.seed)
        except CommandError as error:
            print(f"real_captions: {error}", file=sys.stderr)
            return 2
    for name, found in figures["marks"].items():
        share = found["sensible"] / max(1, found["judged"])
        print(
            f"{name}: {found['sensible']} of {found['judged']} sensible ({share:.1%}), "
            f"{found['nonsense']} nonsense"
        )
    for name, measured in figures["coverage"].items():
        print(
            f"{name}: {measured['with_an_edit']:.1%} of {measured['captions']} captions have an "
            f"edit, {measured['captions_per_second']:.0f} captions a second"
        )
    finish(arguments, figures=figures, targets=list_targets(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
