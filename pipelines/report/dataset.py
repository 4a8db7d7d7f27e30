"""The data set that a report is of: finished, with its tables and how long its build took."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.terminal.console import CommandError
from transforms.dataset.folder import COMPLETED, RUN_SUMMARY, is_completed
from transforms.dataset.manifest import Manifest
from transforms.dataset.reader import open_pairs
from transforms.dataset.tables import ShardedTable
from transforms.pictures.limits import PictureLimits, stored_limits


@dataclass(frozen=True)
class FinishedDataset:
    """A data set that a build has completed.

    `run_summary` is the plain data of that file, empty where there is none, as in a copy that left
    it behind.
    """

    folder: Path
    pairs: ShardedTable
    rejects: ShardedTable
    manifest: Manifest
    run_summary: dict[str, Any]

    @property
    def limits(self) -> PictureLimits:
        """What decoding one of its pictures may cost."""
        return stored_limits(self.manifest.source, self.manifest.pool)


def open_dataset(folder: Path) -> FinishedDataset:
    """The finished data set in `folder`.

    Raises:
        CommandError: it was not completed, or its run summary cannot be read.
        DatasetError: `folder` is no folder, or its manifest cannot be used.
    """
    if folder.is_dir() and not is_completed(folder):
        raise CommandError(f"{folder} holds no file {COMPLETED}: no build has finished there")
    dataset = open_pairs(folder)
    summary = folder / RUN_SUMMARY
    return FinishedDataset(
        folder=folder,
        pairs=dataset.table,
        rejects=dataset.rejects,
        manifest=dataset.manifest,
        run_summary=read_json(summary) if summary.exists() else {},
    )


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file.

    Raises:
        CommandError: the file is missing, is not JSON, or holds something else than an object.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CommandError(f"cannot read {path}: {error}") from error
    if not isinstance(content, dict):
        raise CommandError(f"{path} must hold a JSON object")
    return content
