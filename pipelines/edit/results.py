"""What `edit` says of its results."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.terminal.console import print_table

if TYPE_CHECKING:
    from editing.requests import EditOutput


def print_results(paths: Sequence[Path], output: "EditOutput") -> None:
    """Each file, with the score of its result, and whose picture it is where it was found."""
    results = list(zip(paths, output.edits, strict=True))
    if output.edits[0].key is not None:
        found = [(str(path), each.key, each.score) for path, each in results]
        print_table("found, best first", found, columns=("file", "key", "score"))
    elif len(results) > 1:
        scores = [(str(path), each.score) for path, each in results]
        print_table("results, best first", scores, columns=("file", "cosine with the prompt"))
    else:
        print(f"edited: {paths[0]}")


def results_as_dicts(paths: Sequence[Path], output: "EditOutput") -> list[dict[str, object]]:
    """The same as plain data; `key` is there of what was found alone."""
    return [
        {"file": str(path), "score": edit.score, **({"key": edit.key} if edit.key else {})}
        for path, edit in zip(paths, output.edits, strict=True)
    ]
