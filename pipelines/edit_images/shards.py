"""The files of edited pictures: what is read of the pairs, and what is written of the edits."""

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from indexes.fence import Fence
from indexes.storage.paths import as_path
from transforms.dataset.files import (
    FileReceipt,
    dump_json,
    make_folder,
    remove_file,
    write_bytes,
    write_table,
)
from transforms.dataset.reader import PSEUDO_TARGET_IMAGE, SOURCE_IMAGE
from transforms.dataset.rows import image_struct, reject_to_row
from transforms.dataset.schema import IMAGE, REJECTS, Column, make_schema
from transforms.dataset.shards import OutputShard, shard_file
from transforms.dataset.tables import read_row_group
from transforms.pictures.limits import STORED_LIMITS, PictureLimits
from transforms.record import Batch

EDITS = make_schema(
    (
        Column("key", pa.string(), "key of the pair that asked for the edit"),
        Column("source_key", pa.string(), "key of the source picture"),
        Column("caption", pa.string(), "what the source picture shows, in words"),
        Column("edit_prompt", pa.string(), "what the edited picture shall show"),
        Column("image", IMAGE, "the edited picture"),
    )
)
REMARKS = "remarks"
_COLUMNS = ("key", "source_key", "source_position", "number", "caption", "edit_prompt")
_MORE = ("source_phrase", SOURCE_IMAGE)
SOURCE_MASK = "source_mask"
_OF_LAYOUTS = ("target_phrase", SOURCE_MASK)


@dataclass(frozen=True, kw_only=True)
class EditTask:
    """One edit to make; `image` holds the source's encoded bytes before, the result's after.

    `pseudo_target` holds the encoded bytes of the real picture that stands for the result, where
    the editor needs it, and is empty after. `source_mask` says where the source shows what is
    exchanged, where the editor needs it; None else, or where it was not computed. `limits` is what
    decoding any of them may cost. `remarks` are the names of what there is to say of the edit, such
    as a mask that marks nothing.
    """

    key: str
    source_key: str
    position: int
    number: int
    caption: str
    edit_prompt: str
    source_phrase: str
    image: bytes
    pseudo_target: bytes
    target_phrase: str = ""
    source_mask: bytes | None = None
    limits: PictureLimits = STORED_LIMITS
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class TaskGroup:
    """A row group of a pairs file: what becomes one batch."""

    shard: str
    path: str
    number: int
    with_pseudo_target: bool
    limits: PictureLimits = STORED_LIMITS
    with_mask: bool = False


def read_tasks(group: TaskGroup) -> Batch[EditTask]:
    """The edits that a row group asks for.

    Raises:
        DatasetError: it cannot be read.
    """
    columns = [
        *_COLUMNS,
        *_MORE,
        *([PSEUDO_TARGET_IMAGE] if group.with_pseudo_target else []),
        *(_OF_LAYOUTS if group.with_mask else []),
    ]
    rows = read_row_group(as_path(group.path), group.number, columns).to_pylist()
    tasks = tuple(
        EditTask(
            key=row["key"],
            source_key=row["source_key"],
            position=row["source_position"],
            number=row["number"],
            caption=row["caption"],
            edit_prompt=row["edit_prompt"],
            source_phrase=row["source_phrase"],
            image=row[SOURCE_IMAGE]["bytes"],
            pseudo_target=row[PSEUDO_TARGET_IMAGE]["bytes"] if group.with_pseudo_target else b"",
            target_phrase=row["target_phrase"] if group.with_mask else "",
            source_mask=(row[SOURCE_MASK] or {}).get("bytes") if group.with_mask else None,
            limits=group.limits,
        )
        for row in rows
    )
    return Batch(group.shard, group.number, tasks)


def edits_file(shard: OutputShard) -> str:
    """Name of the file with a shard's edited pictures."""
    return f"edits-{shard.number:05d}-of-{shard.of:05d}.parquet"


def receipt_path(folder: Path, shard: OutputShard) -> Path:
    """What says that a shard is whole; written last."""
    return folder / f"edited-{shard.number:05d}-of-{shard.of:05d}.json"


def write_edits(
    folder: Path,
    shard: OutputShard,
    batches: Iterable[Batch[EditTask]],
    *,
    fence: Fence | None = None,
) -> dict[str, Any]:
    """Writes the files of one shard, in the order of the pairs, and its receipt, which it returns.

    Raises:
        OutputError: a file cannot be written.
        FencedError: a later run has begun than that of `fence`; there is no receipt, and nothing of
            that run is touched.
        TurnError: it cannot be seen whether one has.
    """
    batches = sorted(batches, key=lambda batch: batch.number)
    permit = fence.check if fence is not None else None
    if permit is not None:
        permit()
    make_folder(folder)
    place = receipt_path(folder, shard)
    remove_file(place)
    rows = (
        {name: getattr(task, name) for name in EDITS.names if name != "image"}
        | {"image": image_struct(task.image)}
        for batch in batches
        for task in batch.records
    )
    rejects = [reject for batch in batches for reject in batch.rejects]
    files: tuple[FileReceipt, ...] = (
        write_table(folder / edits_file(shard), EDITS, rows, permit=permit),
        write_table(
            folder / shard_file("rejects", shard),
            REJECTS,
            map(reject_to_row, rejects),
            permit=permit,
        ),
    )
    reasons: dict[str, int] = {}
    for reject in sorted(rejects, key=lambda reject: reject.reason):
        reasons[reject.reason] = reasons.get(reject.reason, 0) + 1
    remarks: dict[str, list[str]] = {}
    for batch in batches:
        for task in batch.records:
            for name in task.remarks:
                remarks.setdefault(name, []).append(task.key)
    receipt = {
        "number": shard.number,
        "edits": files[0].rows,
        "rejects": reasons,
        "files": [dataclasses.asdict(file) for file in files],
        # The keys of the edits that there is something to say of, by what it is.
        **({REMARKS: dict(sorted(remarks.items()))} if remarks else {}),
    }
    write_bytes(place, dump_json(receipt), permit=permit)
    return receipt
