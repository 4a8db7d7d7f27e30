"""Checks whether a data set is whole: its files against its manifest, and their rows."""

import hashlib
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from transforms.dataset.card import croissant_data
from transforms.dataset.files import (
    FileReceipt,
    OutputError,
    dump_json,
    hash_file,
    is_temporary_file,
)
from transforms.dataset.folder import CARD, CROISSANT, is_completed
from transforms.dataset.manifest import Manifest, load_manifest
from transforms.dataset.reader import PSEUDO_TARGET_IMAGE, SOURCE_IMAGE
from transforms.dataset.rows import row_to_pair, row_to_reject
from transforms.dataset.schema import CANDIDATES, IMAGE_COLUMNS
from transforms.dataset.shard_contents import ShardContents, count_contents
from transforms.dataset.shards import (
    KINDS,
    SCHEMAS,
    ShardReceipt,
    is_shard_file,
    load_receipt,
    receipt_file,
)
from transforms.dataset.tables import DatasetError, ShardedTable, ShardFile, open_shard
from transforms.pictures.decoding import PictureError, decode_stored
from transforms.pictures.limits import STORED_LIMITS, PictureLimits, stored_limits
from transforms.pictures.masks import MaskError, decode_mask

Tell = Callable[[str], None]
Advance = Callable[[int], None]
ShowProgress = Callable[[int], AbstractContextManager[Advance]]

_SIDES = (
    (SOURCE_IMAGE, "source_mask", "source_sha256"),
    (PSEUDO_TARGET_IMAGE, "target_mask", "target_sha256"),
)


@dataclass
class Findings:
    """What a check came across: one line for each problem, and what was looked at."""

    problems: list[str] = field(default_factory=list)
    files: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    rows: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    bytes: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))

    def tell(self, problem: str) -> None:
        """Note a problem."""
        self.problems.append(problem)


def _without_progress(shards: int) -> AbstractContextManager[Advance]:
    return nullcontext(lambda count: None)


def check_folder(
    folder: Path, *, quick: bool = False, show_progress: ShowProgress = _without_progress
) -> Findings:
    """All that is wrong with the data set in `folder`; sizes and hashes only where `quick`.

    `show_progress` is told how many shards there are, and what it gives of each that is done.
    """
    findings = Findings()
    if not is_completed(folder):
        findings.tell("COMPLETED is missing: the data set was not finished")
    try:
        manifest = load_manifest(folder)
    except OutputError as error:
        findings.tell(str(error))
        return findings
    for problem in manifest.problems():
        findings.tell(problem)
    _check_documents(folder, manifest, findings.tell)
    _check_strays(folder, manifest, findings.tell)
    keys: set[bytes] = set()
    limits = stored_limits(manifest.source, manifest.pool)
    with show_progress(len(manifest.shards)) as advance:
        for shard in manifest.shards:
            _check_receipt(folder, shard, findings.tell)
            sound = [_check_file(folder, file, findings) for file in shard.files]
            if all(sound) and not quick:
                _check_rows(folder, shard, keys, findings.tell, limits=limits)
            advance(1)
    return findings


def _check_documents(folder: Path, manifest: Manifest, tell: Tell) -> None:
    if not (folder / CARD).is_file():
        tell(f"{CARD} is missing")
    try:
        if (folder / CROISSANT).read_bytes() != dump_json(croissant_data(manifest)):
            tell(f"{CROISSANT} does not follow from the manifest")
    except OSError as error:
        tell(f"{CROISSANT}: {error.strerror or error}")


def _check_strays(folder: Path, manifest: Manifest, tell: Tell) -> None:
    known = set(manifest.file_names())
    for path in sorted(folder.iterdir()):
        if is_temporary_file(path.name):
            tell(f"{path.name} was left by a writer that did not finish")
        elif is_shard_file(path.name) and path.name not in known:
            tell(f"{path.name} is not in the manifest")


def _check_receipt(folder: Path, shard: ShardReceipt, tell: Tell) -> None:
    name = receipt_file(shard.shard)
    try:
        if load_receipt(folder / name) != shard:
            tell(f"{name} differs from the manifest")
    except OutputError as error:
        tell(str(error))


def _check_file(folder: Path, file: FileReceipt, findings: Findings) -> bool:
    path = folder / file.name
    kind = file.name.partition("-")[0]
    try:
        size, sha256 = path.stat().st_size, hash_file(path)
    except OSError as error:
        findings.tell(f"{file.name}: {error.strerror or error}")
        return False
    findings.files[kind] += 1
    findings.rows[kind] += file.rows
    findings.bytes[kind] += size
    if size != file.bytes:
        findings.tell(f"{file.name}: size must be {file.bytes}, got {size}")
        return False
    if sha256 != file.sha256:
        findings.tell(f"{file.name}: SHA-256 must be {file.sha256}, got {sha256}")
        return False
    return True


def _check_rows(
    folder: Path, shard: ShardReceipt, keys: set[bytes], tell: Tell, *, limits: PictureLimits
) -> None:
    rows: dict[str, list[dict[str, Any]]] = {}
    for file in shard.files:
        kind = file.name.partition("-")[0]
        try:
            found = _read_light(folder / file.name, kind)
            if found is None:
                tell(f"{file.name}: columns must be those of the schema of the {kind}")
                return
            rows[kind] = found
            if kind == "pairs":
                _check_pictures(ShardFile(folder / file.name, file.rows), tell, limits)
        except DatasetError as error:
            tell(str(error))
            return
        if len(found) != file.rows:
            tell(f"{file.name}: rows must be {file.rows}, got {len(found)}")
    _check_keys(shard, rows["pairs"], keys, tell)
    contents = ShardContents(
        examples=tuple(row_to_pair(row) for row in rows["pairs"]),
        rejects=tuple(row_to_reject(row) for row in rows["rejects"]),
        queries=CANDIDATES.empty_table(),
    )
    if count_contents(contents) != shard.counts:
        tell(f"shard {shard.number}: the rows do not give the counts of the receipt")


def _read_light(path: Path, kind: str) -> list[dict[str, Any]] | None:
    """The rows of a file without its pictures, which are too large to be held together.

    None where its columns are not those of its kind.
    """
    with open_shard(path) as file:
        if not file.schema_arrow.equals(SCHEMAS[kind], check_metadata=False):
            return None
        columns = [name for name in file.schema_arrow.names if name not in IMAGE_COLUMNS]
        rows = file.read(columns=columns).to_pylist()
    nothing = dict.fromkeys(IMAGE_COLUMNS) if kind == "pairs" else {}
    return [row | nothing for row in rows]


def _check_keys(
    shard: ShardReceipt, rows: list[dict[str, Any]], keys: set[bytes], tell: Tell
) -> None:
    places = [(row["source_position"], row["number"]) for row in rows]
    if places != sorted(places):
        tell(f"shard {shard.number}: pairs must be sorted by position and edit number")
    for row in rows:
        # A digest takes less memory than a key of any length.
        digest = hashlib.blake2b(row["key"].encode(), digest_size=16).digest()
        if digest in keys:
            tell(f"shard {shard.number}: key {row['key']} occurs more than once")
        keys.add(digest)


def _check_pictures(file: ShardFile, tell: Tell, limits: PictureLimits) -> None:
    columns = ["key", *(name for side in _SIDES for name in side)]
    for row in ShardedTable([file]).rows(columns):
        for picture, mask, sha256 in _SIDES:
            problem = picture_problem(row[picture], row[mask], sha256=row[sha256], limits=limits)
            if problem:
                tell(f"{file.path.name}: {row['key']}: {picture}: {problem}")


def picture_problem(
    picture: dict[str, Any] | None,
    mask: dict[str, Any] | None,
    *,
    sha256: str,
    limits: PictureLimits = STORED_LIMITS,
) -> str | None:
    """What is wrong with a picture and its mask, in one line; None where nothing is.

    `limits` are those of the data set.
    """
    if picture is None or picture["bytes"] is None:
        return "there is no picture"
    if hashlib.sha256(picture["bytes"]).hexdigest() != sha256:
        return f"its SHA-256 must be {sha256}"
    try:
        size = decode_stored(picture["bytes"], limits).size
        if mask is not None:
            decode_mask(mask["bytes"], size)
    except PictureError as error:
        return f"it cannot be decoded: {error}"
    except MaskError as error:
        return f"its {error}"
    return None
