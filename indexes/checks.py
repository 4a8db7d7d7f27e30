"""Checks whether an index is whole: its files against its description, and what is in them."""

import stat
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from indexes.checksums import Sums, is_index_file, part_files, sum_file
from indexes.described import DescribedIndex, describe_index
from indexes.duplicate_keys import find_duplicate_key
from indexes.faiss_checks import check_faiss
from indexes.groups import group_problems
from indexes.index_choice import DEFAULT_MEMORY_GIB
from indexes.layout import (
    COMPLETED_FILE,
    EARLIER_MANIFEST_FILE,
    EMBEDDING_FOLDER,
    GROUPS_FOLDER,
    INDEX_FILE,
    INDEX_PARAMETERS_FILE,
    LOOKUP_FILES,
    LOOKUP_FOLDER,
    MANIFEST_FILE,
    METADATA_FOLDER,
    REJECTS_FOLDER,
    SIGNATURE_FILE,
    STRUCTURE_FOLDER,
    IndexFolderError,
    Part,
    all_parts,
    manifest_path,
    show,
)
from indexes.life_cycle import INDEX_MEMORY, SOURCE_FINGERPRINT, read_manifest
from indexes.lookup import hash_texts
from indexes.metadata_checks import metadata_problems
from indexes.part_checks import check_part
from indexes.parts import read_keys
from indexes.storage.paths import lies_at
from indexes.storage.store_path import StorePath
from indexes.stored import fetched_index, naming

Tell = Callable[[str], None]
Advance = Callable[[int], None]
ShowProgress = Callable[[int], AbstractContextManager[Advance]]

NO_SUMS = "the index was made before files had hashes in it: what was changed since is not seen"

_FOLDERS = (EMBEDDING_FOLDER, METADATA_FOLDER, STRUCTURE_FOLDER, REJECTS_FOLDER, LOOKUP_FOLDER)
_DOCUMENTS = (MANIFEST_FILE, EARLIER_MANIFEST_FILE, COMPLETED_FILE)
_MOST_TOLD = 100
"""So many problems of one kind of thing are told; of a folder of strays that is enough."""


@dataclass
class IndexFindings:
    """What a check came across: one line for each problem, and what was looked at.

    `notes` are lines that are no problems, `pictures` is what the description says.
    """

    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    files: int = 0
    bytes: int = 0
    pictures: int = 0

    def tell(self, problem: str) -> None:
        """Note a problem."""
        self.problems.append(problem)


def _without_progress(parts: int) -> AbstractContextManager[Advance]:
    return nullcontext(lambda count: None)


def is_index(folder: Path) -> bool:
    """Whether `folder` says that it holds an index, finished or not, whole or not."""
    return any(lies_at(folder / name) for name in (MANIFEST_FILE, EARLIER_MANIFEST_FILE))


def check_index(
    folder: Path, *, quick: bool = False, show_progress: ShowProgress = _without_progress
) -> IndexFindings:
    """All that is wrong with the index in `folder`; sizes and hashes only where `quick`.

    `show_progress` is told how many parts there are, and what it gives of each that is done. An
    index from before files had hashes is checked as far as it goes, with a note that says so.
    """
    findings = IndexFindings()
    try:
        if isinstance(folder, StorePath):
            with fetched_index(folder) as (local, strays), naming(folder, local):
                for name in strays[:_MOST_TOLD]:
                    findings.tell(f"{name} is no file of an index")
                _check(local, findings, quick=quick, show_progress=show_progress)
        else:
            _check(folder, findings, quick=quick, show_progress=show_progress)
    except (IndexFolderError, OSError) as error:
        # A file that was there a moment ago, or a folder that nobody may look into.
        findings.tell(str(error))
    return findings


def _check(
    folder: Path, findings: IndexFindings, *, quick: bool, show_progress: ShowProgress
) -> None:
    described = _read_description(folder, findings.tell)
    if described is None:
        return
    findings.pictures = described.pictures
    found = _list_files(folder, findings.tell)
    findings.files, findings.bytes = len(found), sum(found.values())
    if described.parts > len(found):
        findings.tell(f"parts must be at most the {len(found)} files there are")
        return
    if described.sums is None:
        findings.notes.append(NO_SUMS)
    sound = _check_names(described, found, findings.tell)
    parts, counts = all_parts(described.parts), Counter[str]()
    with show_progress(len(parts)) as advance:
        for part in parts:
            names = [*part_files(part), part.rejects_path(Path()).as_posix()]
            _check_sums(folder, names, described.sums, sound, findings.tell)
            if not quick and sound.issuperset(part_files(part)):
                counts += check_part(described, part, findings.tell)
            advance(1)
    others = [name for name in sorted(found) if "/" not in name or name in LOOKUP_FILES]
    _check_sums(folder, others, described.sums, sound, findings.tell)
    if quick or findings.problems:
        return
    if dict(counts) != described.content.get("counts"):
        findings.tell(f"counts must be the sums of the parts', {dict(sorted(counts.items()))}")
    _check_keys(folder, parts, findings.tell)
    if described.mapped:
        for problem in metadata_problems(folder, parts):
            findings.tell(problem)
    check_faiss(described, findings.tell)
    group_problems(folder, findings.tell)


def _read_description(folder: Path, tell: Tell) -> DescribedIndex | None:
    """What the folder says of itself, where it can be read at all."""
    for name in _DOCUMENTS:
        if (folder / name).is_symlink() or (
            (folder / name).exists() and not (folder / name).is_file()
        ):
            tell(f"{name} must be a regular file")
            return None
    if not (folder / COMPLETED_FILE).is_file():
        tell(f"{COMPLETED_FILE} is missing: the index was not finished")
    try:
        manifest = read_manifest(folder)
        described = describe_index(folder, manifest, stamp=())
    except IndexFolderError as error:
        tell(str(error))
        return None
    for problem in _problems_of(manifest):
        tell(f"{manifest_path(folder).name}: {problem}")
    return described


def _problems_of(manifest: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong in a description beside its numbers and sums."""
    encoder = manifest["description"].get("encoder")
    if not isinstance(encoder, str):
        yield f"encoder must be text, got {show(encoder)}"
    mark = manifest.get(SOURCE_FINGERPRINT, "")
    if not isinstance(mark, str):
        yield f"{SOURCE_FINGERPRINT} must be text, got {show(mark)}"
    memory = manifest.get(INDEX_MEMORY, DEFAULT_MEMORY_GIB)
    if type(memory) not in (int, float) or not 0 < memory < float("inf"):
        yield f"{INDEX_MEMORY} must be a number above 0, got {show(memory)}"
    counts = manifest.get("counts")
    if not isinstance(counts, dict) or any(type(n) is not int or n < 0 for n in counts.values()):
        yield f"counts must be numbers >= 0 by name, got {show(counts)}"
    elif "indexed" in counts and counts["indexed"] != manifest["pictures"]:
        yield f"pictures must be the {counts['indexed']} that are indexed"


def _list_files(folder: Path, tell: Tell) -> dict[str, int]:
    """Name and size of every file that an index can have; all else that is there is told.

    Hidden files are passed over: a lock, or what a killed writer left, which nobody reads.
    """
    found: dict[str, int] = {}
    told = 0
    for name, path in _visible(folder):
        status = path.lstat()
        problem = None
        if name in (*_FOLDERS, GROUPS_FOLDER) and stat.S_ISDIR(status.st_mode):
            continue
        if not stat.S_ISREG(status.st_mode):
            problem = f"{name} must be a regular file"
        elif is_index_file(name):
            found[name] = status.st_size
        elif name not in (*_DOCUMENTS, SIGNATURE_FILE):
            problem = f"{name} is no file of an index"
        told += problem is not None
        if problem is not None and told <= _MOST_TOLD:
            tell(problem)
    if told > _MOST_TOLD:
        tell(f"{told - _MOST_TOLD} more such files")
    return found


def _visible(folder: Path) -> Iterator[tuple[str, Path]]:
    """What lies in the folder and in those an index has, by its name there; links not followed."""
    for path in sorted(folder.iterdir()):
        if not path.name.startswith("."):
            yield path.name, path
            if path.name in _FOLDERS and path.is_dir() and not path.is_symlink():
                for inner in sorted(path.iterdir()):
                    if not inner.name.startswith("."):
                        yield f"{path.name}/{inner.name}", inner


def _check_names(described: DescribedIndex, found: Mapping[str, int], tell: Tell) -> set[str]:
    """The names of the files that there must and may be and that are there; all else is told."""
    needed = [INDEX_FILE, INDEX_PARAMETERS_FILE, *(LOOKUP_FILES if described.mapped else ())]
    rejects = []
    for part in all_parts(described.parts):
        needed += part_files(part)
        rejects.append(part.rejects_path(Path()).as_posix())
    for name in needed:
        if name not in found:
            tell(f"{name} is missing")
    listed = set(described.sums) if described.sums is not None else None
    wrong = (listed or set()) - found.keys() - set(needed)
    for name in sorted(wrong)[:_MOST_TOLD]:
        tell(f"{name} is missing")
    known = {*needed, *rejects, *(name for name in found if "/" not in name)}
    strays = found.keys() - (known if listed is None else known & listed)
    for name in sorted(strays)[:_MOST_TOLD]:
        tell(f"{name} is not in the description")
    return found.keys() - strays


def _check_sums(
    folder: Path, names: list[str], sums: Sums | None, sound: set[str], tell: Tell
) -> None:
    """Takes those of `names` that are not as they were out of `sound`, the names of good files."""
    if sums is None:
        return
    for name in names:
        if name not in sound:
            continue
        wanted = sums[name]
        try:
            found = sum_file(folder / name)
        except OSError as error:
            tell(f"{name} cannot be read: {error.strerror or error}")
            sound.discard(name)
            continue
        if found.bytes != wanted.bytes:
            tell(f"{name} must have {wanted.bytes} bytes, got {found.bytes}")
        elif found.sha256 != wanted.sha256:
            tell(f"{name} must have the sha256 {wanted.sha256}, got {found.sha256}")
        if found != wanted:
            sound.discard(name)


def _check_keys(folder: Path, parts: list[Part], tell: Tell) -> None:
    hashes = (hash_texts(read_keys(folder, part)) for part in parts)
    duplicate = find_duplicate_key(hashes, lambda number: read_keys(folder, parts[number]))
    if duplicate is not None:
        tell(
            f"keys must be unique, {duplicate.key} is in part {parts[duplicate.first].label} and "
            f"in part {parts[duplicate.second].label}"
        )
