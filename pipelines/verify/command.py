"""`pairloom verify DIR`: whether a data set is whole and holds what its manifest says."""

import argparse
import hashlib
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from pipelines.terminal.console import (
    EXIT_FAILED,
    EXIT_OK,
    CommandError,
    print_json_line,
    print_table,
    show_progress,
)
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
from transforms.pictures.decoding import PictureError, PictureLimits, decode

Tell = Callable[[str], None]

# What a source let in is not judged again here.
_LIMITS = PictureLimits(max_pixels=150_000_000, max_bytes=1_000_000_000, min_side=1)
_SIDES = (
    ("input_image", "source_mask", "source_sha256"),
    ("edited_image", "target_mask", "target_sha256"),
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


def add_parser(subparsers: Any) -> None:
    """Add `verify` to the command line."""
    parser = subparsers.add_parser(
        "verify",
        help="check a data set against its manifest",
        description="Check every file of a data set against its manifest: sizes, hashes, rows, "
        "sums, keys, and that every picture and mask decodes. Exit code 1 if anything is wrong.",
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="folder of the data set")
    parser.add_argument("--quick", action="store_true", help="sizes and hashes only")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Check the folder, print a table and one line for each problem; 1 if there is any."""
    if not args.folder.is_dir():
        raise CommandError(f"{args.folder} must be a folder that holds a data set")
    findings = check_folder(args.folder, quick=args.quick)
    print_table(
        f"{args.folder}",
        [(kind, findings.files[kind], findings.rows[kind], findings.bytes[kind]) for kind in KINDS],
        columns=("table", "files", "rows", "bytes"),
    )
    for problem in findings.problems:
        print(f"problem: {problem}")
    print("whole" if not findings.problems else f"problems: {len(findings.problems)}")
    if args.json:
        print_json_line(
            {
                "bytes": findings.bytes,
                "files": findings.files,
                "ok": not findings.problems,
                "problems": findings.problems,
                "rows": findings.rows,
            }
        )
    return EXIT_FAILED if findings.problems else EXIT_OK


def check_folder(folder: Path, *, quick: bool = False) -> Findings:
    """All that is wrong with the data set in `folder`; sizes and hashes only where `quick`."""
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
    with show_progress("verify", len(manifest.shards), unit="shards") as advance:
        for shard in manifest.shards:
            _check_receipt(folder, shard, findings.tell)
            sound = [_check_file(folder, file, findings) for file in shard.files]
            if all(sound) and not quick:
                _check_rows(folder, shard, keys, findings.tell)
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


def _check_rows(folder: Path, shard: ShardReceipt, keys: set[bytes], tell: Tell) -> None:
    rows: dict[str, list[dict[str, Any]]] = {}
    for file in shard.files:
        kind = file.name.partition("-")[0]
        try:
            found = _read_light(folder / file.name, kind, tell)
            if found is None:
                return
            rows[kind] = found
            if kind == "pairs":
                _check_pictures(folder / file.name, tell)
        except (pa.ArrowException, OSError) as error:
            tell(f"{file.name} cannot be read: {error}")
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


def _read_light(path: Path, kind: str, tell: Tell) -> list[dict[str, Any]] | None:
    """The rows of a file without its pictures, which are too large to be held together.

    None where its columns are others, which is told.
    """
    with pq.ParquetFile(path) as file:
        if not file.schema_arrow.equals(SCHEMAS[kind], check_metadata=False):
            tell(f"{path.name}: columns must be those of the schema of the {kind}")
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


def _check_pictures(path: Path, tell: Tell) -> None:
    for row in _picture_rows(path):
        for picture, mask, sha256 in _SIDES:
            problem = picture_problem(row[picture], row[mask], sha256=row[sha256])
            if problem:
                tell(f"{path.name}: {row['key']}: {picture}: {problem}")


def _picture_rows(path: Path) -> Iterator[dict[str, Any]]:
    columns = ["key", *(name for side in _SIDES for name in side)]
    with pq.ParquetFile(path) as file:
        for group in range(file.num_row_groups):
            yield from file.read_row_group(group, columns=columns).to_pylist()


def picture_problem(
    picture: dict[str, Any] | None, mask: dict[str, Any] | None, *, sha256: str
) -> str | None:
    """What is wrong with a picture and its mask, in one line; None where nothing is."""
    if picture is None or picture["bytes"] is None:
        return "there is no picture"
    if hashlib.sha256(picture["bytes"]).hexdigest() != sha256:
        return f"its SHA-256 must be {sha256}"
    try:
        size = decode(picture["bytes"], _LIMITS).size
        if mask is None:
            return None
        with Image.open(io.BytesIO(mask["bytes"])) as image:
            image.load()
            if image.format != "PNG" or image.mode not in ("L", "1"):
                return f"its mask must be a single-channel PNG, got {image.format} {image.mode}"
            if image.size != size:
                return f"its mask must be of size {size}, got {image.size}"
    except (PictureError, OSError, SyntaxError, ValueError) as error:
        return f"it or its mask cannot be decoded: {error}"
    return None
