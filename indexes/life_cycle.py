"""An index folder's life: begun, filled part by part, finished."""

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Literal

from indexes.checksums import FILES, sum_files
from indexes.duplicate_keys import find_duplicate_key
from indexes.faiss_file import write_faiss
from indexes.folder_lock import LOCK_FILE
from indexes.index_choice import DEFAULT_MEMORY_GIB, IndexChoice, choose_index
from indexes.layout import (
    COMPLETED_FILE,
    EARLIER_MANIFEST_FILE,
    EMBEDDING_FOLDER,
    INDEX_FILE,
    INDEX_PARAMETERS_FILE,
    INPUTS_FILE,
    LAYOUT_VERSION,
    LOOKUP_FILES,
    LOOKUP_FOLDER,
    MANIFEST_FILE,
    METADATA_FOLDER,
    PARTIAL_SUFFIX,
    READABLE_VERSIONS,
    REJECTS_FOLDER,
    SIGNATURE_FILE,
    STRUCTURE_FOLDER,
    IndexFolderError,
    Part,
    all_parts,
    dump_json,
    fingerprint,
    manifest_path,
    read_json,
    show,
    write_atomically,
    write_json,
)
from indexes.lookup import hash_texts
from indexes.metadata import write_metadata
from indexes.parts import read_keys
from indexes.spread_filling import Filling
from indexes.storage.errors import refuse_outage
from indexes.storage.store_path import StorePath
from indexes.stored import finish_stored
from indexes.whole_parts import read_whole_parts

FolderState = Literal["new", "unfinished", "finished"]

SOURCE_FINGERPRINT = "source_fingerprint"
"""Under this name a description holds what tells the source's files from what they may become."""

INDEX_MEMORY = "index_memory_gib"
"""Under this name it holds how much memory the search index was chosen for."""

RESERVED_NAMES = frozenset(
    {"version", "pictures", "dimension", "parts", "counts", FILES, SOURCE_FINGERPRINT, INDEX_MEMORY}
)
"""What the folder says of itself; a description may not use these names."""

_PART_FOLDERS = (EMBEDDING_FOLDER, METADATA_FOLDER, STRUCTURE_FOLDER, REJECTS_FOLDER)
_PART_FILE = re.compile(r"(img_emb|structure|metadata|rejects)_\d+\.(npy|parquet)")


def begin_index(
    folder: Path, description: Mapping[str, object], *, overwrite: bool = False
) -> FolderState:
    """Makes `folder` ready to be filled under `description`, or says how far it is already.

    `description` is plain JSON data and must hold all that decides the folder's content: `encoder`
    and `captioner` (ids with revisions), `source`, and whatever else a change of which should
    forbid going on with a folder begun before. With `overwrite` an index of another description
    makes room for this one.

    Raises:
        IndexFolderError: the folder holds something else, or an index of another description.
        ValueError: the description lacks `encoder` or uses a reserved name.
    """
    _check_description(description)
    if manifest_path(folder).exists():
        stored = read_manifest(folder)
        if fingerprint(stored["description"]) == fingerprint(description):
            _remove_partial_files(folder)
            return "finished" if (folder / COMPLETED_FILE).exists() else "unfinished"
        if not overwrite:
            difference = _difference(stored["description"], description)
            raise IndexFolderError(f"{folder} holds an index with another {difference}")
        renew_index(folder, description)
        return "new"
    if folder.exists() and any(path.name != LOCK_FILE for path in folder.iterdir()):
        raise IndexFolderError(f"{folder} is not empty and not an index: choose another folder")
    folder.mkdir(parents=True, exist_ok=True)
    _write_description(folder, description)
    return "new"


def renew_index(folder: Path, description: Mapping[str, object]) -> None:
    """Removes the index in `folder` and begins one of `description` there.

    Files that are not an index's stay. Until everything is removed the folder says what it held.

    Raises:
        IndexFolderError, OSError: something cannot be removed or written.
    """
    (folder / COMPLETED_FILE).unlink(missing_ok=True)
    _remove_partial_files(folder)
    for name in _PART_FOLDERS:
        if (folder / name).is_dir():
            for path in (folder / name).iterdir():
                if _PART_FILE.fullmatch(path.name):
                    path.unlink()
            with suppress(OSError):  # something else lies there
                (folder / name).rmdir()
    for name in (SIGNATURE_FILE, *LOOKUP_FILES, INDEX_FILE, INDEX_PARAMETERS_FILE, INPUTS_FILE):
        (folder / name).unlink(missing_ok=True)
    with suppress(OSError):
        (folder / LOOKUP_FOLDER).rmdir()
    _write_description(folder, description)
    (folder / EARLIER_MANIFEST_FILE).unlink(missing_ok=True)


def _write_description(folder: Path, description: Mapping[str, object]) -> None:
    write_json(
        folder / MANIFEST_FILE, {"version": LAYOUT_VERSION, "description": dict(description)}
    )


def has_parts(folder: Path) -> bool:
    """Whether anything of the index in `folder` has been made."""
    return any((folder / METADATA_FOLDER).glob("*.parquet"))


def reopen_index(folder: Path) -> None:
    """Takes back that the index in `folder` is finished, before parts of it are written again.

    Raises:
        OSError: it cannot be taken back.
    """
    (folder / COMPLETED_FILE).unlink(missing_ok=True)


def finish_index(
    folder: Path,
    *,
    parts: int,
    choice: IndexChoice | None = None,
    memory_gib: float = DEFAULT_MEMORY_GIB,
    seed: int = 0,
    source_fingerprint: str | None = None,
    filling: Filling | None = None,
) -> dict[str, object]:
    """Builds the FAISS index over all `parts`, removes stale files and marks the folder finished.

    `choice` overrides the index that suits the number of pictures and `memory_gib`, the memory it
    is to fit in; `seed` draws the vectors it is trained on. `source_fingerprint` tells the source's
    files from what they may become later; it and the hash of every file go into the description.
    Where workers have filled pieces of the index, as `filling` says, these are merged. The same
    parts give the same bytes, with and without.

    Returns:
        The manifest that was written.

    Raises:
        IndexFolderError: a part is missing or cut short, two parts have a picture of the same key,
            or there are no pictures at all.
    """
    if isinstance(folder, StorePath):
        again = partial(
            finish_index,
            parts=parts,
            choice=choice,
            memory_gib=memory_gib,
            seed=seed,
            source_fingerprint=source_fingerprint,
            filling=filling,
        )
        return finish_stored(folder, again)
    manifest = read_manifest(folder)
    mark = fingerprint(manifest["description"])
    whole = read_whole_parts(folder, parts, fingerprint=mark)
    pictures = int(whole.pictures.sum())
    reopen_index(folder)
    _refuse_duplicate_keys(folder, all_parts(parts))
    _remove_partial_files(folder)
    _remove_stale_parts(folder, parts)
    choice = choice or choose_index(pictures, whole.dimension, memory_gib=memory_gib)
    write_metadata(folder, all_parts(parts))
    write_faiss(folder, whole, choice, seed=seed, memory_gib=memory_gib, filling=filling)
    manifest |= {
        "counts": whole.counts,
        "dimension": whole.dimension,
        INDEX_MEMORY: memory_gib,
        "parts": parts,
        "pictures": pictures,
        "version": LAYOUT_VERSION,
        FILES: sum_files(folder, all_parts(parts)),
    }
    if source_fingerprint is not None:
        manifest[SOURCE_FINGERPRINT] = source_fingerprint
    if not _holds(folder / MANIFEST_FILE, dump_json(manifest)):
        (folder / SIGNATURE_FILE).unlink(missing_ok=True)
    write_json(folder / MANIFEST_FILE, manifest)
    (folder / EARLIER_MANIFEST_FILE).unlink(missing_ok=True)
    write_atomically(folder / COMPLETED_FILE, lambda path: path.touch())
    return manifest


def read_manifest(folder: Path) -> dict[str, Any]:
    """The content of `pairloom.json`, or of what that was called earlier.

    Raises:
        IndexFolderError: there is none, it is no such file, or of a version unknown here.
    """
    path = manifest_path(folder)
    if not path.exists():
        raise IndexFolderError(f"{folder} is not an index: it has no {MANIFEST_FILE}")
    manifest = read_json(path)
    if not isinstance(manifest.get("description"), dict):
        raise IndexFolderError(f"{path} does not describe an index")
    version = manifest.get("version")
    if type(version) is not int or version not in READABLE_VERSIONS:
        raise IndexFolderError(
            f"{path} must be of version {' or '.join(map(str, READABLE_VERSIONS))}, "
            f"got {show(version)}"
        )
    return manifest


def _holds(path: Path, data: bytes) -> bool:
    try:
        return path.read_bytes() == data
    except OSError as error:
        refuse_outage(error)
        return False


def _check_description(description: Mapping[str, object]) -> None:
    if not isinstance(description.get("encoder"), str):
        raise ValueError(f"description must name its encoder, got {description.get('encoder')!r}")
    taken = RESERVED_NAMES & set(description)
    if taken:
        raise ValueError(f"description must not use the names {sorted(taken)}")


def _difference(stored: Mapping[str, object], wanted: Mapping[str, object]) -> str:
    for name in sorted({*stored, *wanted}):
        if stored.get(name) != wanted.get(name):
            return f"{name}: {stored.get(name)!r}, not {wanted.get(name)!r}"
    raise AssertionError("descriptions with different fingerprints are the same")


def _refuse_duplicate_keys(folder: Path, parts: Sequence[Part]) -> None:
    hashes = (hash_texts(read_keys(folder, part)) for part in parts)
    duplicate = find_duplicate_key(hashes, lambda number: read_keys(folder, parts[number]))
    if duplicate is not None:
        first, second = parts[duplicate.first].label, parts[duplicate.second].label
        raise IndexFolderError(
            f"{folder} cannot be finished: keys must be unique, {duplicate.key} is in part {first} "
            f"and in part {second}"
        )


def _remove_partial_files(folder: Path) -> None:
    for path in folder.rglob(f".*{PARTIAL_SUFFIX}"):
        path.unlink(missing_ok=True)


def _remove_stale_parts(folder: Path, parts: int) -> None:
    wanted = {
        path
        for part in all_parts(parts)
        for path in (*part.paths(folder), part.rejects_path(folder))
    }
    for name in filter(lambda name: (folder / name).is_dir(), _PART_FOLDERS):
        for path in (folder / name).iterdir():
            if path not in wanted and _PART_FILE.fullmatch(path.name):
                path.unlink()
