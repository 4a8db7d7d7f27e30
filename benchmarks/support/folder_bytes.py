"""The bytes of a folder that a command fills, but for those that tell of times."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from indexes.layout import Part, fingerprint
from indexes.parts import read_part
from support.job_process import FolderPlan, Plan
from transforms.dataset.files import is_temporary_file
from transforms.dataset.folder import COMPLETED, RUN_SUMMARY
from transforms.dataset.shards import read_receipts

Hashes = dict[str, str]

RECEIPTS = {
    "index": "metadata/metadata_*.parquet",
    "build": "shard-*.json",
    "rethreshold": "shard-*.json",
    "fetch": "*_stats.json",
    "train": "checkpoints/checkpoint-*",
    "evaluate": "cells/*.parquet",
    "edit-images": "edited-*.json",
}
"""What is there of a command's work when some of it is done, and is gone on from."""

_TIMES = ("start_time", "end_time", "duration")
_OF_TIMES = (RUN_SUMMARY, "tensorboard")
"""A file that holds times, and a folder of curves with the time of every step."""
_LOCK = ".lock"


def hash_folder(folder: Path) -> Hashes:
    """SHA-256 of every file below `folder` but those of times and locks, by its path there."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(_content(path)).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not _is_of_times(path.relative_to(folder))
    }


def _is_of_times(path: Path) -> bool:
    return any(part in _OF_TIMES for part in path.parts) or path.name.endswith(_LOCK)


def _content(path: Path) -> bytes:
    """What the file holds; of a fetched shard's sums, without its times."""
    if not path.name.endswith("_stats.json"):
        return path.read_bytes()
    sums = json.loads(path.read_bytes())
    return json.dumps({k: v for k, v in sums.items() if k not in _TIMES}, sort_keys=True).encode()


def differing(found: Mapping[str, str], wanted: Mapping[str, str]) -> list[str]:
    """The files that are not the same in both."""
    return sorted(name for name in found.keys() | wanted if found.get(name) != wanted.get(name))


def false_claims(plan: Plan, wanted: Mapping[str, str]) -> list[str]:
    """What the folder that a killed process left says is whole and is not."""
    if not plan.folder.is_dir():
        return []
    found = hash_folder(plan.folder)
    if COMPLETED in found:
        return differing(found, wanted)
    return [name for name in _vouched(plan, found, wanted) if found.get(name) != wanted[name]]


def _vouched(plan: Plan, found: Mapping[str, str], wanted: Mapping[str, str]) -> list[str]:
    """The files that must be whole: those of receipts, else all that stand under their names."""
    if isinstance(plan, FolderPlan) and plan.kind == "index":
        return _vouched_of_index(plan)
    if plan.kind in ("build", "rethreshold"):
        return [file.name for each in read_receipts(plan.folder) for file in each.files]
    return [name for name in found if name in wanted and not is_temporary_file(Path(name).name)]


def _vouched_of_index(plan: FolderPlan) -> list[str]:
    index = plan.index_plan()
    mark, total = fingerprint(index.description()), len(index.source.shards())
    vouched: list[str] = []
    for number in range(total):
        part = Part(number, total)
        if read_part(plan.folder, part, fingerprint=mark) is not None:
            vouched += [str(path.relative_to(plan.folder)) for path in part.paths(plan.folder)]
    return vouched
