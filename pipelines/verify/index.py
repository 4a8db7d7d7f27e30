"""The check of an index, for the command."""

from functools import partial
from pathlib import Path

from indexes.checks import check_index
from indexes.layout import manifest_path
from pipelines.terminal.console import show_progress
from pipelines.verify.outcome import Outcome

SHOW_PARTS = partial(show_progress, "verify", unit="parts")
"""Shows how many of the parts are checked, given how many there are."""


def check_index_folder(folder: Path, *, quick: bool = False) -> Outcome:
    """The check of the index in `folder`, for the command."""
    found = check_index(folder, quick=quick, show_progress=SHOW_PARTS)
    counts = {"files": found.files, "bytes": found.bytes, "pictures": found.pictures}
    return Outcome(
        problems=found.problems,
        total=len(found.problems),
        columns=("index", ""),
        rows=[*counts.items()],
        counts=counts,
        signed=manifest_path(folder),
        notes=found.notes,
    )
