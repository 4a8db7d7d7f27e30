"""The flags that say which words of a caption may change; `build` and `rewrite` share them."""

import argparse

from pipelines.terminal.console import EXIT_USAGE, CommandError
from transforms.record import PARTS_OF_SPEECH, RELATIONS
from transforms.words.lexicon import load_lexicon
from transforms.words.proposals import RewriteOptions


def add_rewrite_flags(parser: argparse.ArgumentParser) -> None:
    """`--relations`, `--parts-of-speech` and `--without`."""
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


def read_rewrite_options(arguments: argparse.Namespace, *, edits: int) -> RewriteOptions:
    """What the flags allow, for so many `edits` of a caption.

    Raises:
        CommandError: a value that breaks a rule, or a kind that the table does not have.
    """
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
        )
    except ValueError as error:
        raise CommandError(str(error), exit_code=EXIT_USAGE) from error
