"""The files of an index folder: clip-retrieval's names, and a few of our own.

    img_emb/img_emb_{i}.npy          float32 (n, d), L2-normalised
    metadata/metadata_{i}.parquet    one row a picture, same order
    structure/structure_{i}.npy      uint8 (n, 256), structure maps (ours)
    rejects/rejects_{i}.parquet      pictures that are not in it, and why (ours)
    lookup/metadata.arrow            all metadata in one file, to be memory-mapped (ours)
    lookup/keys.npy, captions.npy    uint64 (2, n), sorted hashes of texts and their rows (ours)
    groups/...                       groups of near-copies, where asked for, see `indexes.groups`
    image.index, image.json          FAISS index by inner product, and what it is
    inputs.json                      the listing of the source it was made of (ours)
    pairloom.json                    what made the folder, and the hash of every file (ours)
    COMPLETED                        empty, written last (ours)

`i` is zero-padded to one width, because readers sort the names as text. A picture's row is its
position over all metadata files in that order.
"""

import contextlib
import hashlib
import json
import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from indexes.errors import PairloomError
from indexes.names import EARLIER_NAME, NAME
from indexes.storage.drafts import local_draft
from indexes.storage.store_path import StorePath

EMBEDDING_FOLDER = "img_emb"
METADATA_FOLDER = "metadata"
STRUCTURE_FOLDER = "structure"
REJECTS_FOLDER = "rejects"
LOOKUP_FOLDER = "lookup"
GROUPS_FOLDER = "groups"
METADATA_FILE = f"{LOOKUP_FOLDER}/metadata.arrow"
KEY_ROWS_FILE = f"{LOOKUP_FOLDER}/keys.npy"
CAPTION_ROWS_FILE = f"{LOOKUP_FOLDER}/captions.npy"
LOOKUP_FILES = (METADATA_FILE, KEY_ROWS_FILE, CAPTION_ROWS_FILE)
INDEX_FILE = "image.index"
INDEX_PARAMETERS_FILE = "image.json"
MANIFEST_FILE = f"{NAME}.json"
EARLIER_MANIFEST_FILE = f"{EARLIER_NAME}.json"
COMPLETED_FILE = "COMPLETED"
INPUTS_FILE = "inputs.json"
SIGNATURE_FILE = f"{MANIFEST_FILE}.sig"
"""Who vouches for the description, and with it for every file; of another description it goes."""
PARTIAL_SUFFIX = ".partial"

LAYOUT_VERSION = 4
READABLE_VERSIONS = (1, 2, 3, 4)
"""1 has the project's earlier name in it, see `indexes.names`; before 3 there was no lookup, and
before 4 the metadata had no language and no similarity."""
MAPPED_FROM = 3
STRUCTURE_BYTES = 256
MINIMUM_WIDTH = 5
_SHOWN = 80
MOST_JSON_BYTES = 256 << 20
"""More is not read as a description: two million parts take less."""


class IndexFolderError(PairloomError):
    """An index folder that cannot be used, in one line that names the folder and the rule."""


@dataclass(frozen=True)
class Part:
    """Part `number`, from 0, of the `total` parts of an index: one part a source shard."""

    number: int
    total: int

    def __post_init__(self) -> None:
        if not 0 <= self.number < self.total:
            raise ValueError(f"number must be in [0, {self.total}), got {self.number}")

    @property
    def label(self) -> str:
        """The number as it stands in file names, padded to the width of the last one."""
        width = max(MINIMUM_WIDTH, len(str(self.total - 1)))
        return str(self.number).zfill(width)

    def embedding_path(self, folder: Path) -> Path:
        """Where the part's embeddings lie."""
        return folder / EMBEDDING_FOLDER / f"img_emb_{self.label}.npy"

    def metadata_path(self, folder: Path) -> Path:
        """Where the part's metadata lie."""
        return folder / METADATA_FOLDER / f"metadata_{self.label}.parquet"

    def structure_path(self, folder: Path) -> Path:
        """Where the part's structure maps lie."""
        return folder / STRUCTURE_FOLDER / f"structure_{self.label}.npy"

    def rejects_path(self, folder: Path) -> Path:
        """Where the pictures of the part's shard that are not in it lie, where that is kept."""
        return folder / REJECTS_FOLDER / f"rejects_{self.label}.parquet"

    def paths(self, folder: Path) -> tuple[Path, Path, Path]:
        """The part's three files."""
        return self.embedding_path(folder), self.structure_path(folder), self.metadata_path(folder)


def manifest_path(folder: Path) -> Path:
    """Where the manifest of an index lies: under today's name, or the earlier one if only that is.

    The file need not exist.
    """
    earlier = folder / EARLIER_MANIFEST_FILE
    path = folder / MANIFEST_FILE
    return earlier if earlier.exists() and not path.exists() else path


def all_parts(total: int) -> list[Part]:
    """Every part of an index of `total` parts, in order."""
    return [Part(number, total) for number in range(total)]


def write_atomically(
    path: Path, write: Callable[[Path], None], *, permit: Callable[[], None] | None = None
) -> None:
    """Lets `write` fill a temporary file beside `path`, fsyncs it and renames it to `path`.

    Where anything fails, `path` is as it was and the temporary file is gone. On a store that file
    is a local one, which is uploaded. `permit` is asked just before.

    Raises:
        IndexFolderError: it cannot be written.
        whatever `permit` raises.
    """
    if isinstance(path, StorePath):
        _write_stored(path, write, permit)
        return
    # Not by the process: several machines write here, and threads of one process.
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}{PARTIAL_SUFFIX}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(partial)
        with partial.open("rb") as written:
            os.fsync(written.fileno())
        if permit is not None:
            permit()
        partial.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise IndexFolderError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


def _write_stored(
    path: StorePath, write: Callable[[Path], None], permit: Callable[[], None] | None
) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with local_draft(path) as draft:
            write(draft)
            if permit is not None:
                permit()
    except OSError as error:
        raise IndexFolderError(f"cannot write {path}: {error.strerror or error}") from error


def write_json(path: Path, content: Mapping[str, object]) -> None:
    """Writes `content` as JSON with sorted names, atomically."""
    write_atomically(path, lambda partial: _write_bytes(partial, dump_json(content)))


def dump_json(content: Mapping[str, object]) -> bytes:
    """What `write_json` writes."""
    return (json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file.

    Raises:
        IndexFolderError: there is no such file, or something else in it.
    """
    try:
        if path.stat().st_size > MOST_JSON_BYTES:
            raise IndexFolderError(f"{path} must have at most {MOST_JSON_BYTES} bytes")
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise IndexFolderError(f"{path} cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise IndexFolderError(f"{path} must hold a JSON object, got {type(content).__name__}")
    return content


def fingerprint(description: Mapping[str, object]) -> str:
    """A hash of what makes an index: two descriptions that say the same have the same one.

    Raises:
        IndexFolderError: it is nested too deeply.
    """
    try:
        text = json.dumps(description, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    except RecursionError as error:
        raise IndexFolderError("a description must not be nested a thousand deep") from error
    # JSON can spell half of a surrogate pair, which no text that is written down has.
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def show(value: object) -> str:
    """A value from a file as it stands in a line for a person: its beginning, in one line."""
    try:
        return repr(value)[:_SHOWN]
    except (RecursionError, ValueError):  # nested too deeply, or a number of too many digits
        return f"something that cannot be shown ({type(value).__name__})"


def _write_bytes(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
