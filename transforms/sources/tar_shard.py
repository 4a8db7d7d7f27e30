"""One tar file of img2dataset (webdataset's layout): members of one name make up a sample.

The file is indexed by its headers, skipping over the pictures, and read by offset: neither a whole
tar nor what lies before a slice is ever in memory. Where a Parquet file of the same name lies
beside it, the rows there that have no sample (failed downloads) follow the samples as rejects.
A tar that was cut short gives the samples before the cut, and one reject for the rest.
"""

import json
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

from indexes.parquet.reading import ParquetError
from indexes.storage.errors import refuse_outage
from indexes.storage.store_path import StorePath
from transforms.pictures.decoding import PictureError, PictureLimits
from transforms.protocols import SourceError
from transforms.record import Reject, SourceImage
from transforms.sources.columns import (
    Place,
    failure,
    find_columns,
    from_mapping,
    picture,
    reject,
)
from transforms.sources.parquet_keys import open_shard_file, read_rows_of
from transforms.sources.tar_index import Sample, index_tar
from transforms.sources.tar_members import TarError
from transforms.sources.texts import (
    MAX_KEY_BYTES,
    MAX_TEXT_BYTES,
    decode_text,
    is_long_key,
    safe_key,
)

_MAX_JSON_BYTES = 1_048_576
_LOCATOR = re.compile(r"(\d{1,15})\+(\d{1,12})")


@dataclass(frozen=True)
class TarShard:
    """An indexed tar: samples first, then what failed, then what is broken.

    `failed` holds rows of the Parquet file beside it, `faults` one line per broken file.
    """

    path: Path
    samples: tuple[Sample, ...]
    failed: tuple[dict[str, object], ...]
    faults: tuple[str, ...]

    @property
    def rows(self) -> int:
        """Number of rows: samples, failures and faults."""
        return len(self.samples) + len(self.failed) + len(self.faults)

    def keys(self) -> list[str]:
        """The keys of all samples and failures; a sample without a picture has none of its own."""
        samples = [sample.key for sample in self.samples if _has_key(sample)]
        return samples + [str(row["key"]) for row in self.failed]

    def read(
        self, start: int, stop: int, *, shard: str, limits: PictureLimits
    ) -> Iterator[SourceImage | Reject]:
        """Rows `start` to `stop`, one record each; rows that cannot be read become rejects."""
        row = start
        try:
            with self.path.open("rb") as file:
                while row < min(stop, self.rows):
                    if row < len(self.samples):
                        yield self._sample(file, row, shard=shard, limits=limits)
                    else:
                        yield self._without_sample(row, shard)
                    row += 1
        except OSError as error:
            refuse_outage(error)
            for lost in range(row, min(stop, self.rows)):
                detail = f"{self.path.name}: cannot read it: {error.strerror}"
                place = Place(shard, lost, "")
                yield reject(f"{shard}@{lost}", place, "broken_shard", detail)

    def _sample(
        self, file: BinaryIO, row: int, *, shard: str, limits: PictureLimits
    ) -> SourceImage | Reject:
        sample = self.samples[row]
        offset, size = sample.picture or (0, 0)
        place = Place(shard, row, f"{quote(self.path.name)}#{offset}+{size}")
        if sample.picture is None:
            # What is no sample (a README, checksums) may be in every tar under the same name.
            detail = f"{sample.key[:MAX_KEY_BYTES]}: the sample holds only: {_contents(sample)}"
            return reject(f"{shard}@{row}", place, "no_picture", detail)
        if is_long_key(sample.key):
            detail = f"{sample.key[:80]}...: a name of more than {MAX_KEY_BYTES} bytes"
            return reject(f"{shard}@{row}", place, "too_long_key", detail)
        if not sample.key:
            return reject(f"{shard}@{row}", place, "no_key", "the sample has no name")
        if sample.repeated:
            detail = f"an earlier sample has the key {sample.key}"
            return reject(f"{sample.key}@{row}", place, "duplicate_key", detail)
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


def _has_key(sample: Sample) -> bool:
    return sample.picture is not None and bool(sample.key) and not is_long_key(sample.key)


def _contents(sample: Sample) -> str:
    others = [f"{name or 'no ending'} ({what})" for name, what in sample.others.items()]
    names = sorted([*(name or "no ending" for name in sample.members), *others])
    return ", ".join(name[:80] for name in names[:10])


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
        refuse_outage(error)
        raise SourceError(f"{path}: cannot read it: {error.strerror}") from error
    if not stat.S_ISREG(status.st_mode):
        raise SourceError(f"{path}: no readable tar file: it is a folder, pipe or device")
    return _load(path, (status.st_mtime_ns, status.st_size, status.st_ino, other))


# A worker reads a tar in many slices; this many indexes (about 1 kB a sample) are kept for it.
@lru_cache(maxsize=4)
def _load(path: Path, _state: tuple[int, int, int, int]) -> TarShard:
    faults = []
    try:
        samples, fault = index_tar(path)
    except (TarError, OSError) as error:
        refuse_outage(error)
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


def _rows_without_sample(beside: Path, keys: set[str]) -> tuple[dict[str, object], ...]:
    """Rows of img2dataset's table whose picture did not make it into the tar.

    Raises:
        SourceError: the table is broken or has missing or retyped columns.
    """
    failed = []
    texts: dict[object, object] = {}
    wanted = ("key", "status", "error_message", "reject_reason")
    try:
        with open_shard_file(beside) as file:
            columns = find_columns(file.schema_arrow, wanted, str(beside))
            if "key" not in columns:
                raise SourceError(f"{beside}: column key is missing")
            for row in read_rows_of(file, beside, list(columns.values())):
                key = row[columns["key"]]
                key = safe_key(key) if isinstance(key, str) and not is_long_key(key) else ""
                if key and key not in keys:
                    # Most rows say the same, which is kept once.
                    found = {name: row[column] for name, column in columns.items()}
                    found = {name: texts.setdefault(each, each) for name, each in found.items()}
                    failed.append(found | {"key": key})
    except ParquetError as error:
        raise SourceError(f"{beside}: no readable Parquet file: {error}") from error
    return tuple(failed)


def _metadata(file: BinaryIO, sample: Sample) -> dict[str, object]:
    """What the sample's JSON and text files say.

    Raises:
        PictureError: `broken_metadata`, `broken_text` or `too_long_text`.
    """
    for name in ("json", "txt"):
        if name in sample.others:
            raise PictureError("broken_metadata", f"{sample.key}.{name}: {sample.others[name]}")
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
        text = _read_at(file, offset, min(size, MAX_TEXT_BYTES))
        caption = decode_text(text, f"{sample.key}.txt")
        if not isinstance(values.get("caption"), tuple):  # the JSON has several
            values["caption"] = caption
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
        if isinstance(path, StorePath):
            return path.read_range(int(match[1]), int(match[2]))
        with path.open("rb") as file:
            return _read_at(file, int(match[1]), int(match[2]))
    except OSError as error:
        refuse_outage(error)
        raise SourceError(f"{path}: cannot read it: {error.strerror}") from error
