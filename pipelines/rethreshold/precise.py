"""Thresholds by a precision: which of them, by the marks of judges, reach it."""

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipelines.marks.choosing import (
    Trial,
    Wanted,
    confidence_of_each,
    passing,
    scores_tried,
    try_thresholds,
)
from pipelines.marks.judged import open_judged, sum_up
from pipelines.marks.marks_file import marks_path
from pipelines.marks.precision import marks_needed
from pipelines.terminal.arguments import local_path
from pipelines.terminal.console import EXIT_USAGE, CommandError
from transforms.dataset.reader import open_pairs
from transforms.select import SelectionThresholds

CountNew = Callable[[SelectionThresholds], int]
"""How many pairs thresholds would let in that are none now, and so were never marked."""


@dataclass(frozen=True)
class Choice:
    """The thresholds that were chosen, by which trial, and what they let in anew.

    With the confidence asked for at least the share `bound` of the resulting pairs is right.
    """

    thresholds: SelectionThresholds
    trial: Trial
    new_pairs: int
    bound: float

    def as_dict(self) -> dict[str, Any]:
        """The choice as plain data, for a script."""
        return {
            "score": self.trial.score,
            "value": self.trial.value,
            "pairs": self.trial.sample.pairs,
            "marks": self.trial.sample.marked,
            "right": self.trial.sample.right,
            "new_pairs": self.new_pairs,
            "bound": self.bound,
        }


def add_precision_flags(parser: argparse.ArgumentParser) -> None:
    """`--precision` and what goes with it."""
    parser.add_argument(
        "--precision",
        type=float,
        metavar="SHARE",
        help="choose the thresholds: at least this share of the pairs is to be right, by the marks "
        "of pairloom judge",
    )
    parser.add_argument(
        "--confidence",
        type=float,
        metavar="SHARE",
        help="with --precision, how sure that is to be (default: 0.95)",
    )
    parser.add_argument(
        "--by",
        nargs="+",
        metavar="SCORE",
        help="with --precision, the scores to choose by (default: all that differ); the more there "
        "are, the more marks are needed",
    )
    parser.add_argument(
        "--marks",
        type=local_path,
        metavar="FILE",
        help="with --precision, the file of the marks (default: DIR.marks.jsonl)",
    )
    parser.add_argument(
        "--judge", metavar="NAME", help="with --precision, whose marks count (default: everybody's)"
    )


def read_wanted(args: argparse.Namespace) -> Wanted | None:
    """What is wanted, or None where no precision is asked for.

    Raises:
        CommandError: a flag has no `--precision` beside it or a value out of its range.
    """
    if args.precision is None:
        for name in ("confidence", "by", "marks", "judge"):
            if getattr(args, name) is not None:
                raise CommandError(f"--{name} goes with --precision", exit_code=EXIT_USAGE)
        return None
    if args.threshold:
        raise CommandError("--precision chooses, so it takes no --threshold", exit_code=EXIT_USAGE)
    confidence = 0.95 if args.confidence is None else args.confidence
    try:
        return Wanted(args.precision, confidence, tuple(args.by or ()))
    except ValueError as error:
        raise CommandError(str(error), exit_code=EXIT_USAGE) from error


def choose_precise(
    folder: Path,
    wanted: Wanted,
    present: SelectionThresholds,
    *,
    count_new: CountNew,
    marks: Path | None = None,
    judge: str | None = None,
) -> Choice:
    """The thresholds that keep most pairs of the data set in `folder` and reach what is wanted.

    What a threshold lets in anew was never marked and counts as wrong.

    Raises:
        CommandError: no thresholds reach it, and the line says how near they come.
        MarksError, DatasetError: the marks or the data set cannot be read.
    """
    judged = open_judged(open_pairs(folder), marks or marks_path(folder), judge)
    trials = try_thresholds(judged, wanted)
    for choice in _choices(passing(trials), present, count_new):
        if choice.bound >= wanted.precision:
            return choice
    found = sum_up(judged, wanted.confidence).precision
    share = f"{found.value:.3f} of the pairs are right" if found else "nothing is marked"
    best = max(trials, key=lambda trial: trial.bound, default=None)
    come = "no score was tried" if best is None else f"the best, {_words(best)}"
    scores = scores_tried(judged.pairs, wanted)
    least = marks_needed(0, wanted.precision, confidence_of_each(scores, wanted))
    raise CommandError(
        f"no threshold on {', '.join(scores)} reaches precision {wanted.precision:g} with "
        f"confidence {wanted.confidence:g}: {share} by {len(judged.told)} marks; {come}. At least "
        f"{least} marks, all of them right, are needed among the pairs that are kept"
    )


def _choices(
    trials: list[Trial], present: SelectionThresholds, count_new: CountNew
) -> Iterator[Choice]:
    for trial in trials:
        changed = {} if trial.value is None else {trial.score: trial.value}
        thresholds = replace(present, **changed)  # type: ignore[arg-type]
        new = count_new(thresholds)
        right = trial.bound * trial.sample.pairs
        yield Choice(thresholds, trial, new, right / max(1, trial.sample.pairs + new))


def _words(trial: Trial) -> str:
    rule = "all as they are" if trial.value is None else f"{trial.score} {trial.value:.3f}"
    sample = trial.sample
    return (
        f"{rule}, keeps {sample.pairs} pairs of which at least {trial.bound:.3f} are right "
        f"({sample.right} of {sample.marked} marks)"
    )


def describe_choice(choice: Choice, wanted: Wanted) -> str:
    """One line for a person."""
    trial = choice.trial
    rule = (
        "the thresholds stay as they are"
        if trial.value is None
        else f"threshold {trial.score}={trial.value:.6g}"
    )
    new = f", {choice.new_pairs} new ones counted as wrong" if choice.new_pairs else ""
    return (
        f"{rule}: {trial.sample.pairs} pairs, with confidence {wanted.confidence:g} at least "
        f"{choice.bound:.1%} of them right ({trial.sample.right} of {trial.sample.marked} "
        f"marks{new})"
    )
