"""What lies in the folder of a data set, held against what its manifest says should.

Nothing is opened before it is known to be a regular file of the folder itself.
"""

import hashlib
import stat
from pathlib import Path
from typing import Any

from indexes.layout import INPUTS_FILE
from indexes.storage.paths import lies_at
from transforms.dataset.card import card_text, croissant_data
from transforms.dataset.files import (
    OutputError,
    dump_json,
    holds,
    is_temporary_file,
    read_bounded,
)
from transforms.dataset.findings import Tell
from transforms.dataset.folder import (
    CARD,
    COMPLETED,
    CROISSANT,
    RUN_SUMMARY,
    SIGNATURE,
    summary_hash,
)
from transforms.dataset.manifest import MANIFEST, Manifest, most_manifest_bytes
from transforms.dataset.plain_data import (
    PlainDataError,
    Shape,
    fields,
    mapping,
    number,
    parse_json,
    plain_object,
    text,
    whole,
)
from transforms.dataset.shards import (
    KINDS,
    MOST_RECEIPT_BYTES,
    ShardReceipt,
    is_shard_file,
    receipt_file,
    shard_file,
)

READ_BY_LOADERS = (
    ".huggingface.yaml",
    "dataset_dict.json",
    "dataset_info.json",
    "dataset_infos.json",
    "state.json",
)
"""What `datasets` would read beside the card, or instead of it."""
_MOST_SUMMARY_BYTES = 1_000_000
_SUMMARY_SHAPE = fields(
    {
        "seconds": mapping(number(), names=text(r"[A-Z][A-Za-z ]{0,63}", "the name of a stage")),
        "shards": whole(),
        "shards_built": whole(),
        "workers": whole(least=1),
    },
    optional={name: text(r"[0-9a-f]{64}", "a SHA-256") for name in ("manifest_sha256", "sha256")},
)
_MOST_INPUTS_BYTES = 2**30
_FINGERPRINT = text(r"\S{1,200}", "a fingerprint")
_INPUTS_SHAPES = {
    "source": fields({"fingerprint": _FINGERPRINT, "files": mapping(text())}),
    "index": fields({"fingerprint": _FINGERPRINT}),
}


def file_problem(path: Path) -> str | None:
    """Why what lies at `path` is not to be opened; None for a regular file."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return "it is missing"
    except (OSError, ValueError) as error:
        return str(getattr(error, "strerror", None) or error)
    if stat.S_ISREG(mode):
        return None
    kinds = {
        stat.S_IFLNK: "a symbolic link",
        stat.S_IFDIR: "a folder",
        stat.S_IFIFO: "a pipe",
        stat.S_IFSOCK: "a socket",
    }
    return f"it must be a regular file, is {kinds.get(stat.S_IFMT(mode), 'a device')}"


def check_strays(folder: Path, manifest: Manifest, tell: Tell) -> None:
    """Tell of every entry that a reader would take for a part of the data set, and is none."""
    known = set(manifest.file_names())
    script = f"{folder.resolve().name}.py"
    try:
        names = sorted(path.name for path in folder.iterdir())
    except OSError as error:
        tell("", f"the folder cannot be read: {error.strerror or error}")
        return
    for name in names:
        low = name.casefold()
        if is_temporary_file(name):
            tell("", f"{name} was left by a writer that did not finish")
        elif name in known:
            continue
        elif is_shard_file(name) or low.endswith(".parquet") or _is_receipt_like(low):
            tell("", f"{name} is not in the manifest")
        elif low in READ_BY_LOADERS or name == script:
            tell("", f"{name} is none of the data set's files, and programs that load it read it")


def _is_receipt_like(name: str) -> bool:
    return name.startswith("shard-") and name.endswith(".json")


def check_documents(folder: Path, manifest: Manifest, tell: Tell) -> None:
    """Tell of every document that does not follow from the manifest."""
    expected = {
        MANIFEST: dump_json(manifest.as_dict()),
        CARD: card_text(manifest).encode(),
        CROISSANT: dump_json(croissant_data(manifest)),
        COMPLETED: b"",
    }
    rules = {
        MANIFEST: "must be written as the manifest it holds, byte for byte",
        COMPLETED: "must be empty",
    }
    for name, data in expected.items():
        problem = file_problem(folder / name)
        if name == COMPLETED and problem == "it is missing":
            tell("", "COMPLETED is missing: the data set was not finished")
        elif problem:
            tell(name, problem)
        elif not holds(folder / name, data):
            tell(name, rules.get(name, "does not follow from the manifest"))
    if lies_at(folder / SIGNATURE):
        problem = file_problem(folder / SIGNATURE)
        if problem:
            tell(SIGNATURE, problem)
    _check_summary(folder, manifest, tell)
    _check_inputs(folder, tell)


def _check_summary(folder: Path, manifest: Manifest, tell: Tell) -> None:
    """What is known of the run summary: its form, its hashes, and how many shards there are.

    There need be none: rethreshold measures nothing, and a run may end before it is written. The
    summaries of earlier releases have no hashes.
    """
    summary = _read_optional(folder / RUN_SUMMARY, _SUMMARY_SHAPE, _MOST_SUMMARY_BYTES, tell)
    if summary is None:
        return
    if summary["shards"] != len(manifest.shards):
        tell(RUN_SUMMARY, f"shards must be {len(manifest.shards)}, got {summary['shards']}")
    if summary["shards_built"] > summary["shards"]:
        tell(RUN_SUMMARY, "shards_built must be at most shards")
    if summary.get("sha256", summary_hash(summary)) != summary_hash(summary):
        tell(RUN_SUMMARY, "was changed: its sha256 must be that of the rest")
    made_with = summary.get("manifest_sha256")
    if made_with is not None and made_with != _manifest_hash(manifest):
        tell(RUN_SUMMARY, "must be of this manifest, it is of another")


def _manifest_hash(manifest: Manifest) -> str:
    return hashlib.sha256(dump_json(manifest.as_dict())).hexdigest()


def _check_inputs(folder: Path, tell: Tell) -> None:
    """The form of what the job read, where it was kept: it may be anything that was there then."""
    most = _MOST_INPUTS_BYTES
    inputs = _read_optional(folder / INPUTS_FILE, plain_object, most, tell) or {}
    try:
        for name, shape in _INPUTS_SHAPES.items():
            if name in inputs:
                shape(inputs[name], name)
    except PlainDataError as error:
        tell(INPUTS_FILE, str(error))


def _read_optional(path: Path, shape: Shape, most_bytes: int, tell: Tell) -> Any:
    """The data in a file of JSON that need not be there; None where it is not, or not right."""
    if not lies_at(path):
        return None
    problem = file_problem(path)
    if problem:
        tell(path.name, problem)
        return None
    try:
        data = read_bounded(path, most_bytes)
        value = parse_json(data)
        shape(value, "")
    except (OutputError, ValueError) as error:
        tell(path.name, str(error))
        return None
    if data != dump_json(value):
        tell(path.name, "must be written as all files of JSON here are, byte for byte")
    return value


def check_receipt(folder: Path, shard: ShardReceipt, tell: Tell) -> bool:
    """Tell how a receipt differs from what the manifest says of it.

    Gives whether its files are named as those of the shard are, so that they may be looked at.
    """
    name = receipt_file(shard.shard)
    problem = file_problem(folder / name)
    if problem:
        tell(name, problem)
    else:
        try:
            if read_bounded(folder / name, MOST_RECEIPT_BYTES) != dump_json(shard.as_dict()):
                tell(name, "differs from the manifest")
        except OutputError as error:
            tell(name, str(error))
    expected = [shard_file(kind, shard.shard) for kind in KINDS]
    found = [file.name for file in shard.files]
    if found != expected:
        tell(f"shard {shard.number}", f"files must be {', '.join(expected)}, got {found[:4]}")
        return False
    return True


def manifest_problem(folder: Path) -> str | None:
    """Why the manifest in `folder` is not to be read; None where it may be."""
    problem = file_problem(folder / MANIFEST)
    if problem:
        return f"{MANIFEST}: {problem}"
    size, most = (folder / MANIFEST).stat().st_size, most_manifest_bytes(folder)
    if size > most:
        rule = f"{MANIFEST} must have at most {most} bytes with so many receipts beside it"
        return f"{rule}, got {size}"
    return None
