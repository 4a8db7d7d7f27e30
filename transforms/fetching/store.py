"""The store that fetched pictures go to: img2dataset's layout, so that its readers read it.

For each shard a tar of the pictures with their captions and metadata, a Parquet table of ALL rows
with what became of them, and `{shard}_stats.json`, written last: a shard that has one is whole, and
one that has none is fetched again from its start. Every file appears under its name only when it is
complete. Order in the files is that of the links, whatever came first.
"""

import asyncio
import json
import tarfile
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import IO

import pyarrow as pa

from indexes.folder_lock import LOCK_FILE
from transforms.dataset.files import (
    OutputError,
    atomic_file,
    dump_json,
    is_temporary_file,
    make_folder,
    output_error,
    remove_file,
    write_bytes,
    write_table,
)
from transforms.fetching.fetcher import FetchOptions, fetch_links
from transforms.fetching.policy import FetchError
from transforms.pictures.decoding import NormalisedPicture
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


@dataclass(frozen=True)
class _Kept:
    """A picture in the spool: where its bytes lie and what they are."""

    offset: int
    size: int
    extension: str
    width: int
    height: int
    sha256: str


@dataclass
class _Results:
    """What came of the links of one shard so far; picture bytes wait in `spool`, on disk."""

    spool: IO[bytes]
    advance: Callable[[int], None]
    links: list[Link] = field(default_factory=list)
    by_key: dict[str, _Kept | FetchError] = field(default_factory=dict)

    def add(self, link: Link, outcome: NormalisedPicture | FetchError) -> None:
        if isinstance(outcome, NormalisedPicture):
            offset = self.spool.tell()
            size = self.spool.write(outcome.bytes)
            outcome_kept = _Kept(
                offset, size, outcome.extension, outcome.width, outcome.height, outcome.sha256
            )
            self.by_key[link.key] = outcome_kept
        else:
            self.by_key[link.key] = outcome
        self.advance(1)

    def counts(self) -> Counter[str]:
        outcomes = (self.by_key[link.key] for link in self.links)
        return Counter(o.reason if isinstance(o, FetchError) else "success" for o in outcomes)


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
        elif any(
            entry.name != LOCK_FILE and not is_temporary_file(entry.name)
            for entry in folder.iterdir()
        ):
            raise OutputError(f"{folder}: it holds files that `pairloom fetch` did not write")
        for entry in folder.iterdir():
            if is_temporary_file(entry.name):
                remove_file(entry)
    except (OSError, ValueError) as error:
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

    `advance` is called with 1 after each link.

    Raises:
        SourceError: the metadata cannot be read.
        OutputError: the store cannot be written; the shard is then not there.
    """
    began = time.time()
    try:
        with tempfile.TemporaryFile(dir=folder) as spool:
            results = _Results(spool, advance, links=list(metadata.read(shard)))
            links = [(link, link.url) for link in results.links]
            asyncio.run(fetch_links(links, results.add, options=options))
            _write_tar(folder / f"{shard.name}.tar", results)
    except OSError as error:
        raise output_error(folder / f"{shard.name}.tar", error) from error
    schema = pa.schema([*(pa.field(*column) for column in _COLUMNS), *metadata.schema()])
    rows = (_row(link, results.by_key[link.key]) for link in results.links)
    write_table(folder / f"{shard.name}.parquet", schema, rows)
    counts = results.counts()
    stats = {
        "count": len(results.links),
        "successes": counts["success"],
        "failed_to_download": len(results.links) - counts["success"],
        "failed_to_resize": 0,
        "start_time": began,
        "end_time": time.time(),
        "duration": time.time() - began,
        "status_dict": dict(counts),
    }
    write_bytes(folder / f"{shard.name}_stats.json", dump_json(stats))
    return counts


def _row(link: Link, outcome: _Kept | FetchError) -> dict[str, object]:
    """One row of the table, which is also what the picture's JSON file holds."""
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
    return row | link.extra


def _write_tar(path: Path, results: _Results) -> None:
    with (
        atomic_file(path) as file,
        tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as tar,
    ):
        for link in results.links:
            kept = results.by_key[link.key]
            if isinstance(kept, FetchError):
                continue
            results.spool.seek(kept.offset)
            _add(tar, f"{link.key}.{kept.extension}", results.spool.read(kept.size))
            if link.caption:
                _add(tar, f"{link.key}.txt", link.caption.encode("utf-8", "replace"))
            _add(tar, f"{link.key}.json", json.dumps(_row(link, kept), default=str).encode())


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    tar.addfile(member, BytesIO(data))
