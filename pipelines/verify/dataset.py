"""The check of a data set, wholly: folder, files, rows, and whether pairs are rightly chosen."""

from functools import partial
from pathlib import Path

from pipelines.terminal.console import show_progress
from pipelines.verify.choices import check_choices
from pipelines.verify.outcome import Outcome
from transforms.dataset.checks import check_folder
from transforms.dataset.findings import Findings
from transforms.dataset.manifest import MANIFEST
from transforms.dataset.shards import KINDS

SHOW_SHARDS = partial(show_progress, "verify", unit="shards")
"""Shows how many of the shards are checked, given how many there are."""


def find_problems(folder: Path, *, quick: bool = False) -> Findings:
    """All that is wrong with the data set in `folder`; names, sizes and hashes where `quick`."""
    return check_folder(folder, quick=quick, check_shard=check_choices, show_progress=SHOW_SHARDS)


def check_dataset(folder: Path, *, quick: bool = False) -> Outcome:
    """The check of the data set in `folder`, for the command."""
    found = find_problems(folder, quick=quick)
    return Outcome(
        problems=found.problems,
        total=found.total,
        columns=("table", "files", "rows", "bytes"),
        rows=[(kind, found.files[kind], found.rows[kind], found.bytes[kind]) for kind in KINDS],
        counts={"files": found.files, "rows": found.rows, "bytes": found.bytes},
        signed=folder / MANIFEST,
    )
