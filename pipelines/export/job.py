"""Writing an export: shard by shard, each whole or not there, so that a run goes on after the last.

`export.json` comes first and says what is exported, and once more last, with every file's size and
hash: an export without these is not finished.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from indexes.folder_lock import lock_folder
from pipelines.export.formats import FORMATS, WORDS, Shard
from pipelines.terminal.console import CommandError, print_note, show_progress
from transforms.dataset.card import copy_card_text
from transforms.dataset.clean_card import full_splits
from transforms.dataset.clean_schema import columns_of, is_clean, split_names, split_of_shard
from transforms.dataset.files import (
    dump_json,
    hash_file,
    is_temporary_file,
    make_folder,
    read_bounded,
    remove_file,
    write_bytes,
)
from transforms.dataset.manifest import MANIFEST
from transforms.dataset.reader import PairsDataset
from transforms.dataset.tables import find_shard_file

RECORD = "export.json"
CARD = "README.md"
_MOST_RECORD_BYTES = 100_000_000


@dataclass(frozen=True)
class Export:
    """What is exported: the pairs of `dataset` in a format of `FORMATS` to `out`.

    `words` says whether the edit's words are `instruction` or `prompt`, where a format has them in
    one place.
    """

    dataset: PairsDataset
    format: str
    out: Path
    words: str

    def describe(self) -> dict[str, Any]:
        """What two runs must have in common for the second to go on after the first."""
        return {
            "format": self.format,
            "words": self.words,
            "manifest_sha256": hash_file(self.dataset.folder / MANIFEST),
        }


@dataclass(frozen=True)
class Exported:
    """What there is now: how many files of pairs, how many of them were there before."""

    pairs: int
    files: int
    kept: int
    bytes: int


def run_export(task: Export) -> Exported:
    """Write what is not there yet.

    Raises:
        CommandError: the folder holds something else.
        DatasetError: the data set cannot be read.
        OutputError: a file cannot be written.
        FolderLockedError: another process writes there.
    """
    with lock_folder(task.out, "pairloom export", tell=print_note):
        return _run_export(task)


def _run_export(task: Export) -> Exported:
    form = FORMATS[task.format]
    manifest = task.dataset.manifest
    clean, names = is_clean(manifest.configuration), split_names(manifest.configuration)
    _begin(task)
    files: dict[str, dict[str, Any]] = {}
    kept = 0
    with show_progress("export", len(manifest.shards), unit="shards") as advance:
        for receipt in manifest.shards:
            found = find_shard_file(task.dataset.folder, "pairs", receipt)
            shard = Shard(
                found,
                receipt.number,
                receipt.of,
                columns_of("pairs", clean=clean, version=receipt.schema_version),
                split_of_shard(receipt.number, receipt.of, names),
            )
            name = form.file_name(shard)
            path = task.out / name
            if path.is_file():
                kept += 1
            else:
                make_folder(path.parent)
                form.write(shard, path, WORDS[task.words])
            files[name] = {
                "bytes": path.stat().st_size,
                "pairs": found.rows,
                "sha256": hash_file(path),
            }
            advance(1)
    columns = form.columns or columns_of("pairs", clean=clean, version=manifest.schema_version)
    splits: list[str | None] = [*full_splits(manifest)] or [None]
    card = copy_card_text(
        manifest,
        columns,
        files=[{"split": split or "train", "path": form.pattern(split)} for split in splits],
    )
    write_bytes(task.out / CARD, card.encode())
    write_bytes(task.out / RECORD, dump_json({**task.describe(), "files": files}))
    sizes = sum(each["bytes"] for each in files.values())
    return Exported(manifest.counts.pairs, len(files), kept, sizes)


def _begin(task: Export) -> None:
    """Make the folder ready, or make sure that it is one that was begun for the same.

    Raises:
        CommandError: it holds something else.
    """
    make_folder(task.out)
    record = task.out / RECORD
    if record.is_file():
        found = read_record(record)
        if {name: found.get(name) for name in task.describe()} != task.describe():
            raise CommandError(
                f"{task.out} holds another export ({found.get('format')}, of manifest "
                f"{str(found.get('manifest_sha256'))[:12]}): choose another folder"
            )
    elif any(not path.name.startswith(".") for path in task.out.iterdir()):
        raise CommandError(f"--out must be empty or an export begun before, got {task.out}")
    for folder in (task.out, task.out / "data"):
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            if is_temporary_file(path.name):
                remove_file(path)
    if not record.is_file():
        write_bytes(record, dump_json(task.describe()))


def read_record(path: Path) -> dict[str, Any]:
    """What `export.json` says.

    Raises:
        CommandError: it is not of an export.
        OutputError: it cannot be read.
    """
    try:
        content = json.loads(read_bounded(path, _MOST_RECORD_BYTES))
    except ValueError as error:
        raise CommandError(f"{path} is not of an export: {error}") from error
    if not isinstance(content, dict):
        raise CommandError(f"{path} is not of an export: it must be an object")
    return content
