"""Checks whether a data set is whole: its folder, its files and their rows against its manifest.

What is told are lines for a person; nothing in the folder, whatever it holds, ends in an exception.
"""

from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from transforms.dataset.clean_schema import CLEAN, is_clean, light_schema, split_names
from transforms.dataset.files import FileReceipt, OutputError, hash_file
from transforms.dataset.findings import Findings, Tell
from transforms.dataset.folder import refuse_duplicate_keys
from transforms.dataset.listing import (
    check_documents,
    check_receipt,
    check_strays,
    file_problem,
    manifest_problem,
)
from transforms.dataset.manifest import Manifest, load_manifest
from transforms.dataset.plain_data import PlainDataError, text
from transforms.dataset.shard_contents import count_outcomes
from transforms.dataset.shards import KINDS, ShardReceipt
from transforms.dataset.table_checks import CheckedGroup, check_table
from transforms.dataset.tables import ShardFile
from transforms.pictures.limits import stored_limits

Advance = Callable[[int], None]
ShowProgress = Callable[[int], AbstractContextManager[Advance]]
_SHA256 = text(r"[0-9a-f]{64}", "a SHA-256 in lower-case hexadecimal")


@dataclass(frozen=True)
class ShardRows:
    """The rows of one shard as a check of their choice sees them: no pictures.

    `pairs` and `rejects` keep the rules of their columns; `candidates` gives the row groups of the
    third table, and has to be gone through to its end.
    """

    receipt: ShardReceipt
    pairs: pa.Table
    rejects: pa.Table
    candidates: Iterator[CheckedGroup]


Span = tuple[int, int, int]
"""Number of a shard, the first position of its sources, and the one after the last."""

CheckShard = Callable[[Manifest, ShardRows, Tell], None]
"""Looks at the rows of one shard together, and tells what contradicts what."""


def _without_progress(shards: int) -> AbstractContextManager[Advance]:
    return nullcontext(lambda count: None)


def read_through(manifest: Manifest, rows: ShardRows, tell: Tell) -> None:
    """A `CheckShard` that only has the candidates keep the rules of their columns."""
    for _ in rows.candidates:
        pass


def check_folder(
    folder: Path,
    *,
    quick: bool = False,
    check_shard: CheckShard = read_through,
    show_progress: ShowProgress = _without_progress,
) -> Findings:
    """All that is wrong with the data set in `folder`.

    With `quick` the rows are not read: names, sizes, hashes and documents only. `check_shard` looks
    at the rows of each shard together. `show_progress` is told how many shards there are, and what
    it gives of each that is done.
    """
    findings = Findings()
    tell = findings.tell
    manifest = _read_manifest(folder, tell)
    if manifest is None:
        return findings
    for problem in [*_form_problems(manifest), *manifest.problems()]:
        tell("", problem)
    check_documents(folder, manifest, tell)
    check_strays(folder, manifest, tell)
    sound = True
    spans: list[Span] = []
    with show_progress(len(manifest.shards)) as advance:
        for shard in manifest.shards:
            named = check_receipt(folder, shard, tell)
            files = [_check_file(folder, file, findings) for file in shard.files] if named else []
            if files and all(files) and not quick:
                sound &= _check_rows(
                    folder, manifest, shard, spans, check_shard=check_shard, tell=tell
                )
            else:
                sound = False
            advance(1)
    if sound and not quick:
        _check_spans(spans, tell)
        try:
            refuse_duplicate_keys(folder, manifest.shards)
        except OutputError as error:
            tell("", str(error))
    return findings


def _read_manifest(folder: Path, tell: Tell) -> Manifest | None:
    problem = file_problem(folder / "COMPLETED")
    try:
        unread = manifest_problem(folder)
        if unread is None:
            return load_manifest(folder)
        tell("", unread)
    except OutputError as error:
        tell("", str(error))
    if problem == "it is missing":
        tell("", "COMPLETED is missing: the data set was not finished")
    return None


def _form_problems(manifest: Manifest) -> Iterator[str]:
    """What is said in the manifest in another form than the program writes."""
    configuration = manifest.configuration
    options = configuration.get("options")
    stated = {"seed": manifest.seed, "source": manifest.source}
    for told in (configuration, options if isinstance(options, dict) else {}):
        for name, value in stated.items():
            if told.get(name, value) != value:
                yield f"{name} must be that of the configuration"
    models = configuration.get("models", manifest.models)
    if not isinstance(models, dict) or not manifest.models.items() <= models.items():
        yield "models must be those of the configuration"
    again = configuration.get(CLEAN, configuration.get("rethreshold"))
    parent = again.get("parent") if isinstance(again, dict) else None
    if parent != manifest.parent:
        yield "parent must be that of the configuration"
    for shard in manifest.shards:
        for file in shard.files:
            try:
                _SHA256(file.sha256, f"{file.name}: sha256")
            except PlainDataError as error:
                yield str(error)


def _check_file(folder: Path, file: FileReceipt, findings: Findings) -> bool:
    path, tell = folder / file.name, findings.tell
    problem = file_problem(path)
    if problem:
        tell(file.name, problem)
        return False
    size = path.stat().st_size
    kind = file.name.partition("-")[0]
    findings.files[kind] += 1
    findings.rows[kind] += file.rows
    findings.bytes[kind] += size
    if size != file.bytes:
        tell(file.name, f"size must be {file.bytes}, got {size}")
        return False
    try:
        sha256 = hash_file(path)
    except OSError as error:
        tell(file.name, str(error.strerror or error))
        return False
    if sha256 != file.sha256:
        tell(file.name, f"SHA-256 must be {file.sha256}, got {sha256}")
        return False
    return True


def _check_rows(
    folder: Path,
    manifest: Manifest,
    shard: ShardReceipt,
    spans: list[Span],
    *,
    check_shard: CheckShard,
    tell: Tell,
) -> bool:
    """Tells what is wrong with the rows of a shard; whether they could all be read.

    The positions of its sources are added to `spans`.
    """
    files = {
        kind: ShardFile(folder / file.name, file.rows)
        for kind, file in zip(KINDS, shard.files, strict=True)
    }
    limits = stored_limits(manifest.source, manifest.pool)
    clean = is_clean(manifest.configuration)
    groups = {
        kind: check_table(file, kind, shard.schema_version, tell, limits=limits, clean=clean)
        for kind, file in files.items()
    }
    tables: dict[str, pa.Table] = {}
    sound = True
    for kind in ("pairs", "rejects"):
        found = list(groups[kind])
        schema = light_schema(kind, clean=clean, version=shard.schema_version)
        tables[kind] = pa.concat_tables(
            [schema.empty_table(), *(each.rows.cast(schema) for each in found)]
        ).combine_chunks()
        sound &= all(each.sound for each in found) and len(tables[kind]) == files[kind].rows
    if not sound:
        for _ in groups["candidates"]:
            pass
        return False
    # The sources of a shard may be spread over those of several splits.
    spread = bool(split_names(manifest.configuration))
    positions = _check_order(shard, tables["pairs"], tables["rejects"], tell, spread=spread)
    if positions and not spread:
        spans.append((shard.number, min(positions), max(positions) + 1))
    check_shard(
        manifest,
        ShardRows(shard, tables["pairs"], tables["rejects"], groups["candidates"]),
        tell,
    )
    return True


def _check_order(
    shard: ShardReceipt, pairs: pa.Table, rejects: pa.Table, tell: Tell, *, spread: bool
) -> Collection[int]:
    """What the rows of a shard say of it: whose they are, their order, their counts.

    Gives the positions of its sources.
    """
    where = f"shard {shard.number}"
    ids = _columns(pairs, "source_position", "number", "source_key")
    if ids != sorted(ids):
        tell(where, "pairs must be sorted by position and edit number")
    numbers = [-1 if n is None else n for n in rejects["number"].to_pylist()]
    others = [
        (position, number, key)
        for number, (position, key) in zip(
            numbers, _columns(rejects, "position", "key"), strict=True
        )
    ]
    if others != sorted(others):
        tell(where, "rejects must be sorted by position and edit number")
    if len({*ids, *others}) != len(ids) + len(others):
        tell(where, "position, edit number and key must be of one pair or reject")
    keys: dict[int, str] = {}
    for position, _, key in (*ids, *others):
        if keys.setdefault(position, key) != key:
            tell(where, f"the source at position {position} must have one key")
    if len(set(keys.values())) != len(keys):
        tell(where, "a source must stand at one position")
    if keys and not spread and max(keys) - min(keys) + 1 != len(keys):
        tell(where, "every position from its first to its last must have a pair or a reject")
    named = {*pairs["source_shard"].to_pylist(), *rejects["shard"].to_pylist()}
    if named - {shard.name}:
        tell(where, f"rows must be of the source shard {shard.name!r}, some are of another")
    edits = _columns(pairs, "source_key", "edit_prompt", "target_key")
    if len(set(edits)) != len(edits):
        tell(where, "no pair may occur twice, some have source, edit prompt and target in common")
    outcomes = zip(
        rejects["position"].to_pylist(),
        rejects["number"].to_pylist(),
        rejects["stage"].to_pylist(),
        rejects["reason"].to_pylist(),
        strict=True,
    )
    if count_outcomes([position for position, _, _ in ids], list(outcomes)) != shard.counts:
        tell(where, "the rows do not give the counts of the receipt")
    return keys


def _check_spans(spans: list[Span], tell: Tell) -> None:
    """Shards count positions from 0 each, or go on where the one before ended."""
    end = 0
    for number, first, stop in spans:
        if first not in (0, end):
            tell(f"shard {number}", f"positions must begin at 0 or {end}, got {first}")
        end = stop


def _columns(table: pa.Table, *names: str) -> list[tuple[Any, ...]]:
    return list(zip(*(table[name].to_pylist() for name in names), strict=True))
