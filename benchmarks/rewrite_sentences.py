"""Counts which edits of 300 caption-like sentences are grammatical and sensible.

    python benchmarks/rewrite_sentences.py [--seed 0] [--json]

Every sentence of data_manifests/lexicon/sentences.tsv goes through the rewriter, without a corpus.
A person has read each edit and written down whether it is grammatical, and whether it is sensible:
it names something that can be seen, differs to the eye, and could be true of a picture like that.
The verdicts are in verdicts.tsv beside the sentences; an edit that is not there is an error, not a
success.
"""

import argparse
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import support.silent_libraries  # noqa: F401
from support.intervals import wilson
from support.reporting import Target, add_report_flags, at_least, at_most, finish

from transforms.package_data import find_package_data
from transforms.rewrite import RewriteOptions
from transforms.words.proposals import load_rewriter

SENTENCES = find_package_data("data_manifests", "lexicon/sentences.tsv")
VERDICTS = find_package_data("data_manifests", "lexicon/verdicts.tsv")


@dataclass(frozen=True)
class SentenceRating:
    """What a person said of one edit."""

    grammatical: bool
    sensible: bool
    why: str


def read_sentences() -> list[tuple[str, str]]:
    """(kind, sentence) of every line."""
    lines = SENTENCES.read_text(encoding="utf-8").splitlines()
    return [(kind, sentence) for kind, sentence in (line.split("\t") for line in lines)]


def read_verdicts() -> dict[tuple[str, str], SentenceRating]:
    """The verdict on each (sentence, edit prompt)."""
    verdicts = {}
    for line in VERDICTS.read_text(encoding="utf-8").splitlines():
        sentence, prompt, grammatical, sensible, *why = line.split("\t")
        verdicts[sentence, prompt] = SentenceRating(
            grammatical == "yes", sensible == "yes", "".join(why)
        )
    return verdicts


def measure(seed: int) -> dict[str, Any]:
    """Counts over all sentences, the edits judged bad, and those nobody has judged."""
    rewriter = load_rewriter(RewriteOptions(seed=seed))
    verdicts = read_verdicts()
    sentences = read_sentences()
    bad, unjudged, judged = [], [], []
    for kind, sentence in sentences:
        for proposal in rewriter.propose(sentence, sentence):
            verdict = verdicts.get((sentence, proposal.edit_prompt))
            if verdict is None:
                unjudged.append([sentence, proposal.edit_prompt])
                continue
            judged.append(verdict)
            if not (verdict.grammatical and verdict.sensible):
                bad.append([kind, sentence, proposal.edit_prompt, verdict.why])
    return {
        "sentences": len(sentences),
        "edits": len(judged) + len(unjudged),
        "judged": len(judged),
        "grammatical": sum(one.grammatical for one in judged),
        "sensible": sum(one.sensible for one in judged),
        "both": sum(one.grammatical and one.sensible for one in judged),
        "bad": bad,
        "unjudged": unjudged,
    }


def list_targets(figures: Mapping[str, Any]) -> list[Target]:
    """Grammar and sense of the judged edits, and that all are judged."""
    judged = figures["judged"]
    bounds = {"grammatical": at_least(0.99, kind="guard"), "both": at_least(0.9)}
    names = {"grammatical": "grammatical edits", "both": "grammatical and sensible edits"}
    shares = [
        Target(
            name=names[name],
            value=figures[name] / judged if judged else None,
            bound=bound,
            interval=wilson(figures[name], judged),
        )
        for name, bound in bounds.items()
    ]
    return [
        *shares,
        Target(name="unjudged edits", value=len(figures["unjudged"]), bound=at_most(0)),
    ]


def main() -> int:
    """Prints the figures; the exit code is 1 where an edit has not been judged."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_report_flags(parser, seed_help="draws the edits; the verdicts are for 0 (default 0)")
    arguments = parser.parse_args()
    figures = measure(arguments.seed)
    judged = figures["judged"]
    print(f"{figures['sentences']} sentences, {figures['edits']} edited, {judged} judged")
    for name in ("grammatical", "sensible", "both"):
        print(f"{name:>12}: {figures[name]} ({figures[name] / max(1, judged):.1%})")
    for title in ("bad", "unjudged"):
        for row in figures[title]:
            print(f"{title}: " + " | ".join(row))
    finish(arguments, figures=figures, targets=list_targets(figures))
    if figures["unjudged"]:
        print("some edits have no verdict: read them and add them to verdicts.tsv", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
