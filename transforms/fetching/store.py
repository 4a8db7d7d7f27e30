"""The store that fetched pictures go to: img2dataset's layout, so that its readers read it.

For each shard a tar of the pictures with their captions and metadata, a Parquet table of ALL rows
with what became of them, and `{shard}_stats.json`, written last: a shard that has one is whole.
One that has none is gone on with: what has come of its links is in `{shard}.partial` until then.
Every other file appears under its name only when it is complete. Order in the files is that of the
links, whatever came first.
"""

import asyncio
import json
import math
import tarfile
import time
from collections import Counter
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pyarrow as pa

from transforms.dataset.files import (
    OutputError,
    atomic_file,
    dump_json,
    is_temporary_file,
    make_folder,
    remove_file,
    write_bytes,
    write_columns,
)
from transforms.fetching.fetcher import fetch_links
from transforms.fetching.options import FetchOptions
from transforms.fetching.partial import PARTIAL_SUFFIX, Kept, PartialShard, open_partial
from transforms.fetching.policy import FetchError
from transforms.pictures.decoding import NormalisedPicture
from transforms.protocols import SourceError
from transforms.sources.laion import LaionMetadata, Link, LinkShard

DESCRIPTION = "fetch.json"

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


def open_store(folder: Path, metadata: LaionMetadata) -> None:
    """Makes `folder` the store of `metadata`, or finds that it is.

    Raises:
        OutputError: it holds something else, or cannot be written.
    """
    wanted = {
        "files": [{"name": file.name, "rows": rows} for file, rows in metadata.files.items()],
        "shard_size": metadata.shard_size,
    }
    description = folder / DESCRIPTION
    make_folder(folder)
    try:
        if description.exists():
            if json.loads(description.read_bytes()) != wanted:
                raise OutputError(
                    f"{folder}: it holds pictures of other metadata or of another shard size; "
                    "name another folder"
                )
        elif any(not entry.name.startswith(".") for entry in folder.iterdir()):
            raise OutputError(f"{folder}: it holds files that `pairloom fetch` did not write")
        for entry in folder.iterdir():
            whole = entry.with_name(f"{entry.stem}_stats.json")
            left = entry.suffix == PARTIAL_SUFFIX and whole.exists()
            if left or is_temporary_file(entry.name):
                remove_file(entry)
    except (OSError, ValueError, RecursionError) as error:
        raise OutputError(f"{description}: cannot read it: {error}") from error
    write_bytes(description, dump_json(wanted))


def read_stats(folder: Path, shard: LinkShard) -> Counter[str] | None:
    """Counts by outcome of a shard that is whole, else None."""
    path = folder / f"{shard.name}_stats.json"
    try:
        counts = json.loads(path.read_bytes())["status_dict"]
        return Counter({str(reason): int(count) for reason, count in counts.items()})
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def fetch_shard(
    folder: Path,
    metadata: LaionMetadata,
    shard: LinkShard,
    *,
    options: FetchOptions,
    advance: Callable[[int], None],
) -> Counter[str]:
    """Fetches one shard into the store and returns the counts by outcome.

    What an earlier run has already fetched of it is not fetched again. `advance` is called with 1
    after each link, and with the number of those that need not be fetched.

    Raises:
        SourceError: the metadata cannot be read.
        OutputError: the store cannot be written; the shard is then not there.
    """
    began = time.time()
    links = list(metadata.read(shard))
    extra = _make_extra_columns(shard, links, metadata.schema())
    with open_partial(folder / f"{shard.name}{PARTIAL_SUFFIX}", options.limits) as partial:
        waiting = [link for link in links if not partial.settles(link)]
        if len(waiting) < len(links):
            advance(len(links) - len(waiting))

        def add(link: Link, outcome: NormalisedPicture | FetchError) -> None:
            partial.add(link, outcome)
            advance(1)

        asks = ((link, link.url) for link in waiting)
        asyncio.run(fetch_links(asks, add, options=options, folder=folder))
        _write_tar(folder / f"{shard.name}.tar", links, partial)
        rows = [_row(link, partial.outcomes[link.key]) for link in links]
        own = pa.Table.from_pylist(rows, pa.schema([pa.field(*column) for column in _COLUMNS]))
        table = pa.table(
            [*own.columns, *extra], schema=pa.schema([*own.schema, *metadata.schema()])
        )
        write_columns(folder / f"{shard.name}.parquet", table)
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
        write_bytes(folder / f"{shard.name}_stats.json", dump_json(stats))
    return counts


def _make_extra_columns(shard: LinkShard, links: list[Link], schema: pa.Schema) -> list[pa.Array]:
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
    return columns


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
