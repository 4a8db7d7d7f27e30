"""The command `pairloom lexicon build`: the table of word relations, built from WordNet."""

import argparse
from typing import Any

from pipelines.lexicon.table import build_table, table_bytes
from pipelines.lexicon.word_list import parse_word_list
from pipelines.lexicon.wordnet import NLTK, open_wordnet
from pipelines.terminal.arguments import any_path, local_path, require_file_place
from pipelines.terminal.console import EXIT_OK
from transforms.dataset.files import write_bytes
from transforms.package_data import find_package_data

WORD_LIST = "lexicon/words.txt"
"""Where the list of everyday words lies in `data_manifests`."""


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Adds `lexicon build` to the command line's subparsers and returns the `lexicon` parser."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "lexicon", help="the table of word relations that edits are drawn from"
    )
    actions = parser.add_subparsers(dest="action", required=True)
    build = actions.add_parser("build", help="build the table from WordNet")
    build.add_argument(
        "--wordnet",
        default=NLTK,
        type=_wordnet,
        metavar="DIR|nltk",
        help="WordNet's folder (Debian: /usr/share/wordnet), or nltk for NLTK's data",
    )
    build.add_argument(
        "--words",
        type=any_path,
        metavar="FILE",
        help="the list of everyday words (default: the one shipped)",
    )
    build.add_argument(
        "--out",
        required=True,
        type=any_path,
        metavar="FILE",
        help="file to write, e.g. lexicon.tsv.gz",
    )
    parser.set_defaults(run=run)
    return parser


def _wordnet(text: str) -> str:
    """An argparse type: the word `nltk`, or a folder on this machine."""
    return text if text == NLTK else str(local_path(text))


def run(args: argparse.Namespace) -> int:
    """Runs `pairloom lexicon build`; returns the exit code.

    Raises:
        WordNetError, WordListError, OSError: what was given cannot be read.
        CommandError, OutputError: the table cannot be written.
    """
    require_file_place("--out", args.out)
    place = args.words or find_package_data("data_manifests", WORD_LIST)
    text = place.read_text(encoding="utf-8")
    words = parse_word_list(text)
    with open_wordnet(args.wordnet) as wordnet:
        source = f"WordNet {wordnet.get_version()}"
        rows = build_table(wordnet, words)
    data = table_bytes(rows, source=source, words_text=text)
    write_bytes(args.out, data)
    print(f"{args.out}: {len(rows)} rows from {source}, {len(data)} bytes")
    return EXIT_OK
