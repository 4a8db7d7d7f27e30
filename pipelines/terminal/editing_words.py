"""The flags that say which words of a caption may change; `build` and `rewrite` share them."""

import argparse

from pipelines.terminal.console import EXIT_USAGE, CommandError
from transforms.record import PARTS_OF_SPEECH, RELATIONS
from transforms.words.judging import JUDGES, LEAST_JUDGEMENT, NO_JUDGE
from transforms.words.lexicon import load_lexicon
from transforms.words.proposals import RewriteOptions
from transforms.words.taggers import TEXTBLOB, check_tagger, load_tagger


def add_rewrite_flags(parser: argparse.ArgumentParser) -> None:
    """`--relations`, `--parts-of-speech`, `--without`, `--tagger` and `--judge`."""
    parser.add_argument("--relations", nargs="+", choices=RELATIONS, default=RELATIONS)
    parser.add_argument(
        "--parts-of-speech", nargs="+", choices=PARTS_OF_SPEECH, default=PARTS_OF_SPEECH
    )
    parser.add_argument(
        "--without",
        action="append",
        default=[],
        metavar="KIND",
        help="a kind of word to leave as it is: a wide kind such as person, a family such as pets, "
        "or a group of adjectives such as colour or number (may be repeated)",
    )
    parser.add_argument(
        "--tagger",
        type=_tagger,
        default=TEXTBLOB,
        metavar="NAME",
        help="what tells nouns from adjectives and verbs: textblob, spacy (the extra tagger) or "
        "spacy:PIPELINE (default textblob)",
    )
    parser.add_argument(
        "--judge",
        choices=JUDGES,
        default=NO_JUDGE,
        help="what judges edits after the rules: the preset's text encoder, which leaves out those "
        "that lie further from the pool's captions than the caption did, or its captioner, which "
        "leaves out those that it would sooner not write (default none)",
    )
    parser.add_argument(
        "--least-judgement",
        type=float,
        default=LEAST_JUDGEMENT,
        metavar="SPREADS",
        help="with --judge: the least that is kept, in standard deviations of the pool "
        f"(default {LEAST_JUDGEMENT:g})",
    )


def read_rewrite_options(arguments: argparse.Namespace, *, edits: int) -> RewriteOptions:
    """What the flags allow, for so many `edits` of a caption.

    Raises:
        CommandError: a value that breaks a rule, or a kind that the table does not have.
        TaggerError: the tagger cannot be loaded.
    """
    if arguments.tagger != TEXTBLOB:
        load_tagger(arguments.tagger)  # so that its absence is told before the work begins
    without = tuple(sorted(set(arguments.without)))
    if without:
        kinds = load_lexicon().kinds
        for name in without:
            if name not in kinds:
                raise CommandError(
                    f"--without must be one of {', '.join(sorted(kinds))}, got {name}",
                    exit_code=EXIT_USAGE,
                )
    try:
        return RewriteOptions(
            seed=arguments.seed,
            edits=edits,
            relations=tuple(arguments.relations),
            parts_of_speech=tuple(arguments.parts_of_speech),
            without=without,
            tagger=arguments.tagger,
            judge=arguments.judge,
            least_judgement=arguments.least_judgement,
        )
    except ValueError as error:
        raise CommandError(str(error), exit_code=EXIT_USAGE) from error


def _tagger(text: str) -> str:
    """An argparse type: the name of a tagger."""
    try:
        return check_tagger(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
