"""One tar file of img2dataset (webdataset's layout): members of one name make up a sample.

The file is indexed by its headers, skipping over the pictures, and read by offset: neither a whole
tar nor what lies before a slice is ever in memory. Where a Parquet file of the same name lies
beside it, the rows there that have no sample (failed downloads) follow the samples as rejects.
A tar that was cut short gives the samples before the cut, and one reject for the rest.
"""

import json
import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq

from transforms.pictures.decoding import PictureError, PictureLimits
from transforms.protocols import SourceError
from transforms.record import Reject, SourceImage
from transforms.sources.columns import (
    Place,
    failure,
    find_columns,
    from_mapping,
    picture,
    read_rows,
    reject,
)

_PICTURES = ("jpg", "jpeg", "png", "webp", "gif", "bmp", "tif", "tiff")
_MAX_TEXT_BYTES = 65_536
_MAX_JSON_BYTES = 1_048_576
_BLOCK = 512
_LOCATOR = re.compile(r"(\d{1,15})\+(\d{1,12})")

Member = tuple[int, int]
"""Offset of a member's data in the tar, and its size, in bytes."""


@dataclass
class _Sample:
    key: str
    repeated: bool = False
    members: dict[str, Member] = field(default_factory=dict)

    @property
    def picture(self) -> Member | None:
        return next((self.members[name] for name in _PICTURES if name in self.members), None)


@dataclass(frozen=True)
class TarShard:
    """An indexed tar: samples first, then what failed, then what is broken.

    `failed` holds rows of the Parquet file beside it, `faults` one line per broken file.
    """

    path: Path
    samples: tuple[_Sample, ...]
    failed: tuple[dict[str, object], ...]
    faults: tuple[str, ...]

    @property
    def rows(self) -> int:
        """Number of rows: samples, failures and faults."""
        return len(self.samples) + len(self.failed) + len(self.faults)

    def keys(self) -> list[str]:
        """The keys of all samples and failures."""
        return [sample.key for sample in self.samples] + [str(row["key"]) for row in self.failed]

    def read(
        self, start: int, stop: int, *, shard: str, limits: PictureLimits
    ) -> Iterator[SourceImage | Reject]:
        """Rows `start` to `stop`, one record each."""
        with self.path.open("rb") as file:
            for row in range(start, min(stop, self.rows)):
                if row < len(self.samples):
                    yield self._sample(file, row, shard=shard, limits=limits)
                else:
                    yield self._without_sample(row, shard)

    def _sample(
        self, file: BinaryIO, row: int, *, shard: str, limits: PictureLimits
    ) -> SourceImage | Reject:
        sample = self.samples[row]
        offset, size = sample.picture or (0, 0)
        place = Place(shard, row, f"{quote(self.path.name)}#{offset}+{size}")
        if sample.repeated:
            detail = f"an earlier sample has the key {sample.key}"
            return reject(f"{sample.key}@{row}", place, "duplicate_key", detail)
        if sample.picture is None:
            detail = f"the sample holds only: {', '.join(sorted(sample.members)) or 'nothing'}"
            return reject(sample.key, place, "no_picture", detail)
        if size > limits.max_bytes:
            detail = f"the file has {size} bytes, at most {limits.max_bytes} are read"
            return reject(sample.key, place, "too_large_file", detail)
        try:
            values = _metadata(file, sample)
        except PictureError as error:
            return reject(sample.key, place, error.reason, error.detail)
        return picture(sample.key, place, _read_at(file, offset, size), values, limits)

    def _without_sample(self, row: int, shard: str) -> Reject:
        place = Place(shard, row, "")
        number = row - len(self.samples)
        if number < len(self.failed):
            values = self.failed[number]
            key = str(values["key"])
            missing = "the table beside the tar names a picture that the tar does not hold"
            return failure(key, place, values) or reject(key, place, "no_picture", missing)
        fault = self.faults[number - len(self.failed)]
        return reject(f"{shard}@{row}", place, "broken_shard", fault)


def load_tar(path: Path) -> TarShard:
    """Indexes a tar; the answer is remembered while the file stays the same.

    Raises:
        SourceError: the file is no tar, or not a single sample of it can be read.
    """
    beside = path.with_suffix(".parquet")
    try:
        status = path.stat()
        other = beside.stat().st_mtime_ns if beside.exists() else 0
    except OSError as error:
        raise SourceError(f"{path}: cannot read it: {error.strerror}") from error
    return _load(path, (status.st_mtime_ns, status.st_size, other))


# A worker reads a tar in many slices; this many indexes (about 1 kB a sample) are kept for it.
@lru_cache(maxsize=4)
def _load(path: Path, _state: tuple[int, int, int]) -> TarShard:
    faults = []
    try:
        samples, fault = _index(path)
    except (tarfile.TarError, OSError) as error:
        raise SourceError(f"{path}: no readable tar file: {error}") from error
    if fault and not samples:
        raise SourceError(f"{path}: {fault}")
    if fault:
        faults.append(f"{path.name}: {fault}")
    failed: tuple[dict[str, object], ...] = ()
    beside = path.with_suffix(".parquet")
    if beside.exists():
        try:
            failed = _rows_without_sample(beside, {sample.key for sample in samples})
        except SourceError as error:
            faults.append(str(error))
    return TarShard(path, samples, failed, tuple(faults))


def _index(path: Path) -> tuple[tuple[_Sample, ...], str]:
    """The samples in order of first appearance, and what is wrong with the file's end, if so."""
    samples: list[_Sample] = []
    by_key: dict[str, _Sample] = {}
    fault = ""
    with tarfile.open(path, "r:") as tar:
        try:
            while (member := tar.next()) is not None:
                if not member.isdir():
                    _add(samples, by_key, member)
        except tarfile.ReadError as error:
            fault = f"cut short after {len(samples)} samples: {error}"
        else:
            with path.open("rb") as file:
                if _read_at(file, tar.offset, _BLOCK) != bytes(_BLOCK):
                    fault = f"cut short or damaged after {len(samples)} samples"
    if fault and samples:
        # The last member may reach beyond the end of the file.
        samples.pop()
    return tuple(samples), fault


def _add(samples: list[_Sample], by_key: dict[str, _Sample], member: tarfile.TarInfo) -> None:
    folder, _, name = member.name.rpartition("/")
    stem, _, extension = name.partition(".")
    key = f"{folder}/{stem}" if folder else stem
    # A damaged name may hold any byte; a key is text.
    key = key.encode("utf-8", "replace").decode("utf-8")
    extension = extension.lower()
    sample = by_key.get(key)
    if sample is None or extension in sample.members:
        sample = _Sample(key, repeated=sample is not None)
        samples.append(sample)
        by_key[key] = sample
    if member.isreg():
        sample.members[extension] = (member.offset_data, member.size)


def _rows_without_sample(beside: Path, keys: set[str]) -> tuple[dict[str, object], ...]:
    """Rows of img2dataset's table whose picture did not make it into the tar.

    Raises:
        SourceError: the table is broken or has missing or retyped columns.
    """
    try:
        with pq.ParquetFile(beside) as file:
            wanted = ("key", "status", "error_message", "reject_reason")
            columns = find_columns(file.schema_arrow, wanted, str(beside))
            if "key" not in columns:
                raise SourceError(f"{beside}: column key is missing")
            rows = read_rows(file.read(list(columns.values())))
    except (pa.ArrowException, OSError) as error:
        raise SourceError(f"{beside}: no readable Parquet file: {error}") from error
    found = ({name: row[column] for name, column in columns.items()} for row in rows)
    return tuple(row for row in found if row["key"] and row["key"] not in keys)


def _metadata(file: BinaryIO, sample: _Sample) -> dict[str, object]:
    """What the sample's JSON and text files say.

    Raises:
        PictureError: `broken_metadata`.
    """
    values: dict[str, object] = {}
    if "json" in sample.members:
        offset, size = sample.members["json"]
        try:
            if size > _MAX_JSON_BYTES:
                raise ValueError(f"{size} bytes, at most {_MAX_JSON_BYTES} are read")
            found = json.loads(_read_at(file, offset, size))
            if not isinstance(found, dict):
                raise ValueError("it holds no object")
        except (ValueError, RecursionError) as error:
            raise PictureError("broken_metadata", f"{sample.key}.json: {error}") from error
        values = from_mapping(found)
    if "txt" in sample.members:
        offset, size = sample.members["txt"]
        text = _read_at(file, offset, min(size, _MAX_TEXT_BYTES))
        values["caption"] = text.decode("utf-8-sig", "replace")
    return values


def _read_at(file: BinaryIO, offset: int, size: int) -> bytes:
    file.seek(offset)
    return file.read(size)


def open_tar_member(path: Path, locator: str, limits: PictureLimits) -> bytes:
    """The stored bytes of one picture, found by `offset+size`.

    Raises:
        SourceError: there is nothing there.
    """
    match = _LOCATOR.fullmatch(locator)
    if match is None or int(match[2]) > limits.max_bytes:
        raise SourceError(f"{path.name}#{locator}: a reference must end in offset+size")
    try:
        with path.open("rb") as file:
            return _read_at(file, int(match[1]), int(match[2]))
    except OSError as error:
        raise SourceError(f"{path}: cannot read it: {error.strerror}") from error
