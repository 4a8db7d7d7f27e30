"""The flags that say how a data set of pairs is cleaned, and what they are turned into."""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from pipelines.terminal.arguments import any_path, local_path
from pipelines.terminal.console import EXIT_USAGE, CommandError


def add_clean_flags(parser: argparse.ArgumentParser) -> None:
    """`--splits`, `--filter`, `--filters`, `--cap`, `--one-a-group` and `--aesthetic-head`."""
    parser.add_argument(
        "--splits",
        metavar="NAME=SHARE,...",
        help="cut the pairs into splits, such as train=0.9,val=0.05,test=0.05, so that no picture "
        "nor a near-copy of it is in two",
    )
    parser.add_argument(
        "--filter",
        action="append",
        default=[],
        metavar="NAME=RULE",
        help="what both pictures of a pair must be, such as sharpness=>=50 or licence=CC0,CC-BY; "
        "may be repeated",
    )
    parser.add_argument(
        "--filters", type=any_path, metavar="FILE", help="a YAML file of such rules by NAME"
    )
    parser.add_argument(
        "--aesthetic-head",
        type=local_path,
        metavar="FILE",
        help="safetensors of a linear head on the encoder's embeddings, for --filter aesthetic",
    )
    parser.add_argument(
        "--cap",
        action="append",
        default=[],
        metavar="NAME=NUMBER",
        help="keep at most so many pairs of one exchange (word for word), target, source or group "
        "of near-copies; may be repeated",
    )
    parser.add_argument(
        "--one-a-group",
        action="store_true",
        help="of each group of near-copies keep the pairs of one picture",
    )


def read_filter_file(path: Path | None) -> Mapping[str, Any]:
    """The rules in a YAML file; none where there is no file.

    Raises:
        CommandError: it cannot be read, or holds no mapping.
    """
    if path is None:
        return {}
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        said = " ".join(str(error).split())
        raise CommandError(f"--filters {path}: {said}", exit_code=EXIT_USAGE) from error
    if not isinstance(found, dict):
        raise CommandError(
            f"--filters {path}: must hold rules by name, got {type(found).__name__}",
            exit_code=EXIT_USAGE,
        )
    return found
