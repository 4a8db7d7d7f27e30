"""The flag that says which pictures of a source are not looked at, and what it is turned into."""

import argparse

from pipelines.terminal.console import EXIT_USAGE, CommandError
from transforms.filter_rules import FilterRule, FilterRuleError, read_source_rules


def add_source_filter_flag(parser: argparse.ArgumentParser) -> None:
    """`--source-filter`."""
    parser.add_argument(
        "--source-filter",
        action="append",
        default=[],
        metavar="NAME=RULE",
        help="what a picture of SOURCE must be by what SOURCE says of it and its size, such as "
        "language=en or width=>=256; others are rejects at once, before they cost anything; may be "
        "repeated",
    )


def read_source_filters(arguments: argparse.Namespace) -> dict[str, FilterRule]:
    """The rules of `--source-filter`, by the name of their value.

    Raises:
        CommandError: one of them says nothing, or is of what has to be measured.
    """
    try:
        return read_source_rules(arguments.source_filter)
    except FilterRuleError as error:
        raise CommandError(f"--source-filter: {error}", exit_code=EXIT_USAGE) from error
