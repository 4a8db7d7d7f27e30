"""The store that fetched pictures go to: img2dataset's layout, so that its readers read it.

For each shard a tar of the pictures with their captions and metadata, a Parquet table of ALL rows
with what became of them, and `{shard}_stats.json`, written last: a shard that has one is whole.
One that has none is gone on with: what has come of its links is in `{shard}.partial` until then.
Every other file appears under its name only when it is complete. Order in the files is that of the
links, whatever came first.
"""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import pyarrow as pa

from transforms.dataset.files import (
    OutputError,
    dump_json,
    is_temporary_file,
    make_folder,
    output_error,
    remove_file,
    write_bytes,
)
from transforms.fetching.fetcher import fetch_links
from transforms.fetching.options import FetchOptions
from transforms.fetching.partial import PARTIAL_SUFFIX, PartialShard, open_partial
from transforms.fetching.policy import FetchError
from transforms.fetching.shard_files import make_extra_columns, write_shard
from transforms.filter_rules import SOURCE_FILTERS, rule_texts
from transforms.pictures.decoding import NormalisedPicture
from transforms.sources.laion import LaionMetadata, Link, LinkShard

DESCRIPTION = "fetch.json"

OPEN_SHARDS = 4
"""How many shards are worked on at a time: the last is begun, the first wait for slow links."""


def open_store(folder: Path, metadata: LaionMetadata) -> None:
    """Makes `folder` the store of `metadata`, or finds that it is.

    Raises:
        OutputError: it holds something else, or cannot be written.
    """
    wanted: dict[str, object] = {
        "files": [{"name": file.name, "rows": rows} for file, rows in metadata.files.items()],
        "shard_size": metadata.shard_size,
    }
    if metadata.filters:
        wanted[SOURCE_FILTERS] = rule_texts(metadata.filters)
    description = folder / DESCRIPTION
    make_folder(folder)
    try:
        if description.exists():
            if json.loads(description.read_bytes()) != wanted:
                raise OutputError(
                    f"{folder}: it holds pictures of other metadata, or of another shard size or "
                    "other filters; name another folder"
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
    """Fetches one shard into the store and returns the counts by outcome; as `fetch_shards`."""
    return fetch_shards(folder, metadata, [shard], options=options, advance=advance)


def fetch_shards(
    folder: Path,
    metadata: LaionMetadata,
    shards: Iterable[LinkShard],
    *,
    options: FetchOptions,
    advance: Callable[[int], None],
) -> Counter[str]:
    """Fetches shards into the store and returns the counts by outcome.

    The last links of a shard, which may be slow, hold up none of the next: up to `OPEN_SHARDS` are
    worked on at a time. What an earlier run has already fetched is not fetched again. `advance` is
    called with 1 after each link, and with the number of those that need not be fetched.

    Raises:
        SourceError: the metadata cannot be read.
        OutputError: the store cannot be written; shards that are not whole are gone on with later.
    """
    with _OpenShards(folder, metadata, options, advance) as work:
        asyncio.run(fetch_links(work.asks(shards), work.add, options=options, folder=folder))
        return work.close()


@dataclass
class _OpenShard:
    """A shard that is being fetched: its links, what has come of them, how many are on their way.

    `files` holds `partial`, whose file goes with it where it is left without an error.
    """

    shard: LinkShard
    links: list[Link]
    extra: pa.Table
    partial: PartialShard
    files: ExitStack
    began: float
    waiting: int


class _OpenShards:
    """The shards of one call of `fetch_shards`; one that has come is written by another thread."""

    def __init__(
        self,
        folder: Path,
        metadata: LaionMetadata,
        options: FetchOptions,
        advance: Callable[[int], None],
    ) -> None:
        self._folder = folder
        self._metadata = metadata
        self._options = options
        self._advance = advance
        self._open: dict[int, _OpenShard] = {}
        self._writer = ThreadPoolExecutor(1, "write")
        self._written: list[Future[Counter[str]]] = []
        self._counts: Counter[str] = Counter()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Lets go of what is not whole, which stays for the next run."""
        self._writer.shutdown(wait=True, cancel_futures=True)
        for opened in list(self._open.values()):
            opened.files.__exit__(kind, error, traceback)

    def asks(
        self, shards: Iterable[LinkShard]
    ) -> Iterator[tuple[tuple[_OpenShard, Link], str] | None]:
        """The links to fetch; None while enough shards are open."""
        for shard in shards:
            while len(self._open) >= OPEN_SHARDS:
                self._take_in_written()
                yield None
            opened = self._begin(shard)
            missing = [link for link in opened.links if not opened.partial.settles(link)]
            opened.waiting = len(missing)
            if len(missing) < len(opened.links):
                self._advance(len(opened.links) - len(missing))
            if not missing:
                self._end(opened)
            for link in missing:
                fault = self._metadata.find_fault(link)
                if fault is None:
                    yield (opened, link), link.url
                else:
                    self.add((opened, link), FetchError(*fault))

    def add(self, ask: tuple[_OpenShard, Link], outcome: NormalisedPicture | FetchError) -> None:
        """Keeps what came of a link, and lets its shard be written after the last of them."""
        opened, link = ask
        try:
            opened.partial.add(link, outcome)
        except OSError as error:
            raise output_error(self._path(opened.shard), error) from error
        self._advance(1)
        opened.waiting -= 1
        if not opened.waiting:
            self._end(opened)
        self._take_in_written()

    def close(self) -> Counter[str]:
        """The counts by outcome, when all is written."""
        for written in self._written:
            self._counts += written.result()
        return self._counts

    def _path(self, shard: LinkShard) -> Path:
        return self._folder / f"{shard.name}{PARTIAL_SUFFIX}"

    def _begin(self, shard: LinkShard) -> _OpenShard:
        began = time.time()
        links = list(self._metadata.read(shard))
        extra = make_extra_columns(shard, links, self._metadata.schema())
        files = ExitStack()
        partial = files.enter_context(open_partial(self._path(shard), self._options.limits))
        opened = _OpenShard(shard, links, extra, partial, files, began, len(links))
        self._open[shard.number] = opened
        return opened

    def _end(self, opened: _OpenShard) -> None:
        self._written.append(self._writer.submit(self._write, opened))

    def _take_in_written(self) -> None:
        """Raises what writing has raised, and counts what is written."""
        while self._written and self._written[0].done():
            self._counts += self._written.pop(0).result()

    def _write(self, opened: _OpenShard) -> Counter[str]:
        name, links, partial = opened.shard.name, opened.links, opened.partial
        try:
            counts = write_shard(
                self._folder, name, links, opened.extra, partial, began=opened.began
            )
        except OSError as error:
            raise output_error(self._path(opened.shard), error) from error
        opened.files.close()
        del self._open[opened.shard.number]
        return counts
