"""What has come of a shard's links so far, on disk, so that no picture is fetched twice.

A file of records, each a line of JSON and, where there is a picture, its bytes. It is written as
outcomes come, read again by the next run if this one does not reach its end, and removed when the
shard is whole. A record that is not whole, and what follows it, counts as not there.
"""

import builtins
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO

from transforms.dataset.files import output_error, remove_file
from transforms.fetching.policy import FetchError
from transforms.pictures.decoding import NormalisedPicture, PictureLimits
from transforms.sources.laion import Link

PARTIAL_SUFFIX = ".partial"

_FORMAT = 1
_MAX_LINE = 100_000
_PASSING = frozenset(
    {"deadline", "silent_host", "unknown_host", "no_connection", "connection_lost", "http_429"}
)
"""Reasons that another day may take away, as it may those of `http_5..`."""


@dataclass(frozen=True)
class Kept:
    """A picture in the file: where its bytes lie and what they are."""

    offset: int
    size: int
    extension: str
    width: int
    height: int
    sha256: str


class PartialShard:
    """The outcomes of one shard's links by their keys; made by `open_partial`."""

    def __init__(self, file: IO[bytes]) -> None:
        self.outcomes: dict[str, Kept | FetchError] = {}
        self._file = file
        self._urls: dict[str, str] = {}

    def settles(self, link: Link) -> bool:
        """Whether it is known what becomes of `link`, now and another day."""
        found = self.outcomes.get(link.key)
        if found is None or self._urls.get(link.key) != link.url:
            return False
        passing = isinstance(found, FetchError) and (
            found.reason in _PASSING or found.reason.startswith("http_5")
        )
        return not passing

    def add(self, link: Link, outcome: NormalisedPicture | FetchError) -> None:
        """Writes an outcome down.

        Raises:
            OSError: it cannot be written.
        """
        about: dict[str, object] = {"key": link.key, "url": link.url}
        if isinstance(outcome, FetchError):
            self._write(about | {"reason": outcome.reason, "detail": outcome.detail})
            self._note(link.key, link.url, outcome)
            return
        kept = Kept(
            offset=0,
            size=len(outcome.bytes),
            extension=outcome.extension,
            width=outcome.width,
            height=outcome.height,
            sha256=outcome.sha256,
        )
        facts = asdict(kept)
        del facts["offset"]
        self._write(about | facts)
        kept = replace(kept, offset=self._file.tell())
        self._file.write(outcome.bytes)
        self._file.flush()
        self._note(link.key, link.url, kept)

    def read(self, kept: Kept) -> builtins.bytes:
        """The bytes of a picture.

        Raises:
            OSError: they cannot be read.
        """
        self._file.seek(kept.offset)
        return self._file.read(kept.size)

    def take_up(self, limits: PictureLimits) -> None:
        """Reads what an earlier run left, cuts off what is not whole, and is ready for more.

        Pictures that were let in by other `limits` count as not there.

        Raises:
            OSError: the file cannot be read or written.
        """
        head = {"format": _FORMAT, "limits": asdict(limits)}
        self._file.seek(0)
        whole = 0
        try:
            if self._read_line() == head:
                whole = self._file.tell()
                while self._take_up_record():
                    whole = self._file.tell()
        except (ValueError, KeyError, TypeError, RecursionError):
            pass  # a record that breaks off or makes no sense: the last that was whole is known
        self._file.seek(whole)
        self._file.truncate()
        if not whole:
            self._write(head)

    def _take_up_record(self) -> bool:
        """Reads one record; False at the end of the file, ValueError where it is not whole."""
        line = self._read_line()
        if line is None:
            return False
        key, url = str(line["key"]), str(line["url"])
        if "reason" in line:
            self._note(key, url, FetchError(str(line["reason"]), str(line["detail"])))
            return True
        kept = _read_facts(line, self._file.tell())
        if kept.size > os.fstat(self._file.fileno()).st_size:
            raise ValueError("the picture breaks off")
        data = self._file.read(kept.size)
        if len(data) != kept.size or hashlib.sha256(data).hexdigest() != kept.sha256:
            raise ValueError("the picture breaks off")
        self._note(key, url, kept)
        return True

    def _note(self, key: str, url: str, outcome: Kept | FetchError) -> None:
        self.outcomes[key] = outcome
        self._urls[key] = url

    def _read_line(self) -> dict[str, object] | None:
        line = self._file.readline(_MAX_LINE)
        if not line:
            return None
        values = json.loads(line)
        if not isinstance(values, dict):
            raise ValueError("a record must be a mapping")
        return values

    def _write(self, values: dict[str, object]) -> None:
        self._file.write(json.dumps(values).encode() + b"\n")
        self._file.flush()


def _read_facts(line: dict[str, object], offset: int) -> Kept:
    numbers = [line["size"], line["width"], line["height"]]
    size, width, height = (each for each in numbers if type(each) is int and each >= 0)
    extension = str(line["extension"])
    if not extension.isalnum():
        raise ValueError(f"an extension must be letters and digits, got {extension!r}")
    return Kept(offset, size, extension, width, height, str(line["sha256"]))


@contextmanager
def open_partial(path: Path, limits: PictureLimits) -> Iterator[PartialShard]:
    """What is at `path` of a shard, which is removed when the block ends without error.

    Raises:
        OutputError: it cannot be read or written.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
        with os.fdopen(descriptor, "r+b") as file:
            partial = PartialShard(file)
            partial.take_up(limits)
            yield partial
    except OSError as error:
        raise output_error(path, error) from error
    remove_file(path)
