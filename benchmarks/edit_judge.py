"""Measures whether a network's judgement tells good edits of captions from bad ones.

    python benchmarks/edit_judge.py [--judge encoder|captioner] [--pool 800] [--sources 200]
                                    [--seed 0] [--json]
    python benchmarks/edit_judge.py --captions NAME=FILE ... --sentence-model DIR

Of still lifes: the captions of a drawn pool judge the rewriter's edits of other captions, and
nonsense that is planted in the same captions: a background of a size, a thing with a background's
pattern, a background where a thing stood. The networks are the still life's own.

Of real captions: the edits marked in data_manifests/lexicon/real_captions.tsv, as far as their
captions are in the files given, KEY<tab>CAPTION a line, which are also the pools. Good is what was
marked sensible. `--sentence-model` is a folder that `sentence-transformers` wrote (its embedding is
the mean over the words); `--preset` takes a preset's text encoder instead.

The figure is the AUC: how often a good edit is judged above a bad one. 0.5 is chance.
"""

import argparse
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import support.silent_libraries  # noqa: F401
from support.real_marks import EditMark, read_marks
from support.reporting import Target, add_report_flags, finish
from support.sentence_encoder import load_sentence_encoder

from pipelines.rewrite.captions import read_captions
from pipelines.terminal.console import CommandError
from stilllife.scene import draw_scene
from stilllife.words import BACKGROUNDS, NOUNS, SIZES
from transforms.models.loading import load_captioner, load_encoder
from transforms.presets import load_preset
from transforms.protocols import Encoder
from transforms.words import judging
from transforms.words.inflection import article
from transforms.words.judging import BY_CAPTIONER, BY_ENCODER, LEAST_JUDGEMENT, EditJudge
from transforms.words.proposals import RewriteOptions, load_rewriter


@dataclass(frozen=True)
class Judged:
    """An edit with its judgement, and whether it is good; `kind` says what is wrong with it."""

    kind: str
    good: bool
    score: float


def plant_nonsense(caption: str) -> dict[str, str]:
    """Edits of a still life's caption that no picture of that world shows, each with its kind."""
    background = next(word for word in BACKGROUNDS if f"{word} background" in caption)
    size = next(word for word in caption.split() if word in SIZES)
    noun = next(word for word in caption.split() if word in NOUNS)
    other = SIZES[1 - SIZES.index(size)]
    return {
        "a background of a size": caption.replace(
            f"{background} background", f"{other} background"
        ),
        "a thing with a pattern": caption.replace(f"a {size} ", f"a {background} ", 1),
        "a background as a thing": caption.replace(f" {noun} ", " background ", 1),
    }


def judge_still_lifes(by: str, pool: int, sources: int, seed: int) -> list[Judged]:
    """Good edits and planted nonsense of drawn captions, judged by the still life's networks."""
    captions = [draw_scene(seed, index).caption() for index in range(pool + sources)]
    preset = load_preset("stilllife")
    judge = (
        load_judge(captions[:pool], by, encoder=load_encoder(preset.encoder))
        if by == BY_ENCODER
        else load_judge(captions[:pool], by, captioner=load_captioner(preset.captioner))
    )
    rewriter = load_rewriter(RewriteOptions(seed=seed), captions[:pool])
    found = []
    for number, caption in enumerate(captions[pool:]):
        edits = [(one.edit_prompt, "", True) for one in rewriter.propose(caption, str(number))]
        edits += [(prompt, kind, False) for kind, prompt in plant_nonsense(caption).items()]
        scores = judge.judge(caption, [prompt for prompt, _, _ in edits])
        found += [
            Judged(kind, good, score) for (_, kind, good), score in zip(edits, scores, strict=True)
        ]
    return found


def load_judge(captions: Sequence[str], by: str = BY_ENCODER, **networks: Any) -> EditJudge:
    """The judge by these captions.

    Raises:
        CommandError: they are too few or too much alike.
    """
    judge = judging.load_judge(by, captions, **networks)
    if judge is None:
        raise CommandError("the captions must be more, or less alike, to judge by")
    return judge


def edited(caption: str, mark: EditMark) -> str | None:
    """The caption with the marked edit; None where its words are not found in it."""
    old, new = mark.source_phrase.split(), mark.target_phrase.split()
    while old and new and old[-1] == new[-1]:
        old, new = old[:-1], new[:-1]
    pattern = rf"(\b[Aa]n? )?\b{re.escape(' '.join(old))}\b"
    match = re.search(pattern, caption)
    if not old or match is None:
        return None
    word = " ".join(new)
    before = "" if match[1] is None else f"{article(word)} "
    return caption[: match.start()] + before + word + caption[match.end() :]


def judge_marks(encoder: Encoder, name: str, path: Path) -> list[Judged]:
    """The marked edits of one set, judged by the captions of a file.

    Raises:
        CommandError: the file cannot be read, or has too few captions.
    """
    captions = {each.key: each.caption for each in read_captions(path)}
    judge = load_judge(list(captions.values()), encoder=encoder)
    found = []
    for mark in read_marks():
        prompt = edited(captions[mark.key], mark) if mark.key in captions else None
        if mark.set == name and prompt is not None:
            (score,) = judge.judge(captions[mark.key], [prompt])
            found.append(Judged("nonsense" if not mark.sensible else "", mark.sensible == 2, score))
    return found


def area_under_curve(good: Sequence[float], bad: Sequence[float]) -> float | None:
    """How often a score of `good` is above one of `bad`, ties half; None of nothing."""
    pairs = len(good) * len(bad)
    above = sum((one > other) + (one == other) / 2 for one in good for other in bad)
    return above / pairs if pairs else None


def summarise(judged: Sequence[Judged]) -> dict[str, Any]:
    """AUC in all and by kind of fault, and what the default threshold would leave out."""
    good = [one.score for one in judged if one.good]
    bad = [one.score for one in judged if not one.good]
    kinds = sorted({one.kind for one in judged if one.kind})
    return {
        "good": len(good),
        "bad": len(bad),
        "auc": area_under_curve(good, bad),
        "auc_by_kind": {
            kind: area_under_curve(good, [one.score for one in judged if one.kind == kind])
            for kind in kinds
        },
        "left_out": {
            name: sum(score < LEAST_JUDGEMENT for score in scores) / max(1, len(scores))
            for name, scores in (("good", good), ("bad", bad))
        },
    }


def list_targets(figures: Mapping[str, Any]) -> list[Target]:
    """The AUC of each set, to inform."""
    return [
        Target(name=f"AUC of the judgement, {name}", value=found["auc"])
        for name, found in figures.items()
    ]


def main() -> int:
    """Prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--judge", choices=(BY_ENCODER, BY_CAPTIONER), default=BY_ENCODER)
    parser.add_argument("--pool", type=int, default=800, help="still lifes that judge")
    parser.add_argument("--sources", type=int, default=200, help="still lifes that are edited")
    parser.add_argument("--captions", action="append", default=[], metavar="NAME=FILE")
    encoders = parser.add_mutually_exclusive_group()
    encoders.add_argument("--sentence-model", type=Path, metavar="DIR")
    encoders.add_argument("--preset", default="stilllife")
    add_report_flags(parser)
    arguments = parser.parse_args()
    if arguments.captions and arguments.judge != BY_ENCODER:
        parser.error("--captions are judged by an encoder")
    figures: dict[str, Any] = {}
    try:
        if not arguments.captions:
            found = judge_still_lifes(
                arguments.judge, arguments.pool, arguments.sources, arguments.seed
            )
            figures["still life"] = summarise(found)
        else:
            encoder = (
                load_sentence_encoder(arguments.sentence_model)
                if arguments.sentence_model is not None
                else load_encoder(load_preset(arguments.preset).encoder)
            )
            for given in arguments.captions:
                name, _, path = given.partition("=")
                figures[name] = summarise(judge_marks(encoder, name, Path(path)))
    except CommandError as error:
        print(f"edit_judge: {error}", file=sys.stderr)
        return 2
    for name, one in figures.items():
        print(f"{name}: {one['good']} good, {one['bad']} bad, AUC {one['auc']}")
        print(f"  by kind {one['auc_by_kind']}; left out {one['left_out']}")
    finish(arguments, figures=figures, targets=list_targets(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
