"""The folder of a pair data set: made ready, filled shard by shard, and finished.

`COMPLETED` is the last file to appear. How long things took goes into `run_summary.json`, which is
in no hash, so that a rerun gives the same bytes everywhere else.
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from indexes.duplicate_keys import find_duplicate_key
from indexes.layout import INPUTS_FILE
from indexes.lookup import hash_texts
from indexes.signing import signature_file
from transforms.dataset.card import card_text, croissant_data
from transforms.dataset.files import (
    OutputError,
    dump_json,
    hash_file,
    holds,
    is_temporary_file,
    make_folder,
    remove_file,
    write_bytes,
)
from transforms.dataset.manifest import MANIFEST, Manifest, load_manifest
from transforms.dataset.shards import ShardReceipt, is_shard_file, read_receipts
from transforms.dataset.tables import find_shard_file

CARD = "README.md"
CROISSANT = "croissant.json"
COMPLETED = "COMPLETED"
RUN_SUMMARY = "run_summary.json"
SIGNATURE = signature_file(Path(MANIFEST)).name
"""Who vouches for the manifest, and with it for all but the run summary and
what the job read."""


def is_completed(folder: Path) -> bool:
    """Whether the data set in `folder` says that it is finished."""
    return (folder / COMPLETED).is_file()


def prepare_output(folder: Path, configuration_hash: str, *, overwrite: bool = False) -> None:
    """Make `folder` ready for shards made with this configuration.

    A folder that holds shards of another configuration is refused, or emptied of them where
    `overwrite` is given; other files are not touched. What killed writers left is removed. Until
    `write_manifest` the folder does not say that it is finished, unless it was and is unchanged.

    Raises:
        OutputError: the folder holds another configuration's data set, or cannot be used.
    """
    make_folder(folder)
    found = {receipt.configuration_hash for receipt in read_receipts(folder)}
    if is_completed(folder) or (folder / MANIFEST).exists():
        found.add(load_manifest(folder).configuration_hash)
    if found - {configuration_hash}:
        if not overwrite:
            other = min(found - {configuration_hash})
            raise OutputError(
                f"{folder} holds a data set of configuration {other[:12]}, "
                f"this one is {configuration_hash[:12]}: choose another folder or overwrite it"
            )
        empty_output(folder)
    for path in sorted(folder.iterdir()):
        if is_temporary_file(path.name):
            remove_file(path)


def empty_output(folder: Path) -> None:
    """Remove the data set in `folder`; other files are not touched.

    Raises:
        OutputError: a file of it cannot be removed.
    """
    for name in (COMPLETED, SIGNATURE, MANIFEST, CARD, CROISSANT, RUN_SUMMARY):
        remove_file(folder / name)
    remove_stale_files(folder, keep=())
    # Last: as long as a shard is there, it is known what it was made of.
    remove_file(folder / INPUTS_FILE)


def remove_stale_files(folder: Path, *, keep: Sequence[str]) -> None:
    """Remove all shard files, receipts and temporary files but those named in `keep`.

    Raises:
        OutputError: one of them cannot be removed.
    """
    for path in sorted(folder.iterdir()):
        ours = is_shard_file(path.name) or is_temporary_file(path.name)
        if ours and path.name not in keep:
            remove_file(path)


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Finish the data set in `folder`: manifest, card, Croissant file, and `COMPLETED` last.

    Shard files that the manifest does not name, of another shard count for instance, are removed
    before that, and so is the signature of another manifest.

    Raises:
        OutputError: something in the manifest contradicts something else, two shards have a source
            of the same key, or something cannot be read or written.
    """
    problems = manifest.problems()
    if problems:
        raise OutputError(f"{folder} cannot be finished: {problems[0]}")
    remove_file(folder / COMPLETED)
    refuse_duplicate_keys(folder, manifest.shards)
    remove_stale_files(folder, keep=manifest.file_names())
    data = dump_json(manifest.as_dict())
    if not holds(folder / MANIFEST, data):
        remove_file(folder / SIGNATURE)
    write_bytes(folder / MANIFEST, data)
    write_bytes(folder / CARD, card_text(manifest).encode())
    write_bytes(folder / CROISSANT, dump_json(croissant_data(manifest)))
    write_bytes(folder / COMPLETED, b"")


def refuse_duplicate_keys(folder: Path, shards: Sequence[ShardReceipt]) -> None:
    """Make sure that no two of `shards`, all in `folder`, have a source of the same key.

    Raises:
        OutputError: two have, or a file of theirs cannot be read.
    """
    hashes = [hash_texts(read_source_keys(folder, shard)) for shard in shards]
    duplicate = find_duplicate_key(hashes, lambda number: read_source_keys(folder, shards[number]))
    if duplicate is not None:
        first, second = shards[duplicate.first].name, shards[duplicate.second].name
        raise OutputError(
            f"{folder} cannot be finished: keys of sources must be unique, {duplicate.key} is in "
            f"shard {first} and in shard {second}"
        )


def read_source_keys(folder: Path, shard: ShardReceipt) -> set[str]:
    """The keys of all sources of a shard, from its pairs and its rejects.

    Raises:
        DatasetError: one of the two files cannot be read.
    """
    keys: set[str] = set()
    for kind, column in (("pairs", "source_key"), ("rejects", "key")):
        file = find_shard_file(folder, kind, shard)
        keys.update(file.read([column])[column].to_pylist())
    return keys


def write_run_summary(folder: Path, summary: Mapping[str, Any]) -> None:
    """Write `summary` (seconds by stage, workers and the like) beside the finished data set.

    It is in no hash of the data set; it holds that of the manifest, and one of itself, so that one
    that was changed, or is of another data set, is told from what a build wrote.

    Raises:
        OutputError: it cannot be written.
    """
    whole = {**summary, "manifest_sha256": hash_file(folder / MANIFEST)}
    whole["sha256"] = summary_hash(whole)
    write_bytes(folder / RUN_SUMMARY, dump_json(whole))


def summary_hash(summary: Mapping[str, Any]) -> str:
    """SHA-256, in hexadecimal, of a run summary without the hash that it holds of itself."""
    rest = {name: value for name, value in summary.items() if name != "sha256"}
    return hashlib.sha256(dump_json(rest)).hexdigest()
