"""The files of one shard in img2dataset's layout, of what has come of its links."""

import json
import math
import tarfile
import time
from collections import Counter
from io import BytesIO
from pathlib import Path

import pyarrow as pa

from transforms.dataset.files import atomic_file, dump_json, write_bytes, write_columns
from transforms.fetching.partial import Kept, PartialShard
from transforms.fetching.policy import FetchError
from transforms.protocols import SourceError
from transforms.sources.laion import Link, LinkShard

_COLUMNS = [
    ("url", pa.string()),
    ("caption", pa.string()),
    ("key", pa.string()),
    ("status", pa.string()),
    ("error_message", pa.string()),
    ("reject_reason", pa.string()),
    ("width", pa.int32()),
    ("height", pa.int32()),
    ("original_width", pa.int32()),
    ("original_height", pa.int32()),
    ("sha256", pa.string()),
]


def write_shard(
    folder: Path,
    name: str,
    links: list[Link],
    extra: pa.Table,
    partial: PartialShard,
    *,
    began: float,
) -> Counter[str]:
    """Writes the shard `name` of what has come of its links, and returns the counts by outcome.

    `extra` has the columns of the metadata that are kept; `began` is when it was begun, in seconds
    since 1970.

    Raises:
        OutputError: the folder cannot be written.
        OSError: what has come cannot be read.
    """
    _write_tar(folder / f"{name}.tar", links, partial)
    rows = [_row(link, partial.outcomes[link.key]) for link in links]
    own = pa.Table.from_pylist(rows, pa.schema([pa.field(*column) for column in _COLUMNS]))
    schema = pa.schema([*own.schema, *extra.schema])
    write_columns(
        folder / f"{name}.parquet", pa.table([*own.columns, *extra.columns], schema=schema)
    )
    counts = Counter(_outcome(partial.outcomes[link.key]) for link in links)
    stats = {
        "count": len(links),
        "successes": counts["success"],
        "failed_to_download": len(links) - counts["success"],
        "failed_to_resize": 0,
        "start_time": began,
        "end_time": time.time(),
        "duration": time.time() - began,
        "status_dict": dict(counts),
    }
    write_bytes(folder / f"{name}_stats.json", dump_json(stats))
    return counts


def make_extra_columns(shard: LinkShard, links: list[Link], schema: pa.Schema) -> pa.Table:
    """The columns of the metadata that are kept, made before anything is fetched for them.

    Raises:
        SourceError: values cannot be written; naming the file and the column.
    """
    columns = []
    for field in schema:
        try:
            values = [link.extra[field.name] for link in links]
            columns.append(pa.array(values, type=field.type))
        except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
            raise SourceError(
                f"{shard.file}: column {field.name} cannot be kept as {field.type}: "
                f"{' '.join(str(error).split())}"
            ) from error
    return pa.table(columns, schema=schema)


def _outcome(outcome: Kept | FetchError) -> str:
    return outcome.reason if isinstance(outcome, FetchError) else "success"


def _row(link: Link, outcome: Kept | FetchError) -> dict[str, object]:
    """One row of the table without the extra columns, all of which the picture's JSON holds."""
    row: dict[str, object] = {"url": link.url, "caption": link.caption, "key": link.key}
    if isinstance(outcome, FetchError):
        row |= {
            "status": "failed_to_download",
            "error_message": outcome.detail,
            "reject_reason": outcome.reason,
        }
    else:
        row |= {
            "status": "success",
            "width": outcome.width,
            "height": outcome.height,
            "original_width": outcome.width,
            "original_height": outcome.height,
            "sha256": outcome.sha256,
        }
    return row


def _write_tar(path: Path, links: list[Link], partial: PartialShard) -> None:
    with (
        atomic_file(path) as file,
        tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as tar,
    ):
        for link in links:
            kept = partial.outcomes[link.key]
            if isinstance(kept, FetchError):
                continue
            _add(tar, f"{link.key}.{kept.extension}", partial.read(kept))
            if link.caption:
                _add(tar, f"{link.key}.txt", link.caption.encode("utf-8", "replace"))
            row = _row(link, kept) | {name: _plain(value) for name, value in link.extra.items()}
            _add(tar, f"{link.key}.json", json.dumps(row, default=str).encode())


def _plain(value: object) -> object:
    """`value`, but null for what JSON has no number for."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    tar.addfile(member, BytesIO(data))
