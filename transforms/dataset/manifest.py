"""The manifest of a pair data set: what made it, what is in it, and that it is finished.

`manifest.json` is a function of the shards and of what made them; nothing in it depends on the
clock or the machine's load.
"""

import dataclasses
import hashlib
import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from indexes.names import NAME
from transforms.dataset.files import OutputError, read_bounded
from transforms.dataset.plain_data import (
    every,
    fields,
    mapping,
    optional,
    parse_json,
    plain_object,
    text,
)
from transforms.dataset.plain_data import whole as whole_number
from transforms.dataset.schema import SCHEMA_VERSION, check_version
from transforms.dataset.shards import (
    COUNTS_SHAPE,
    RECEIPT_SHAPE,
    Counts,
    ShardReceipt,
    receipt_file,
)

MANIFEST = "manifest.json"

SOFTWARE = (
    "apache-beam",
    "numpy",
    "open_clip_torch",
    NAME,
    "pillow",
    "pyarrow",
    "torch",
    "transformers",
)

LARGE_BYTES, BYTES_A_SHARD = 4_000_000, 64_000
"""A manifest has at most so many bytes, and for each receipt in its folder so many more."""

_SHAPE = fields(
    {
        "configuration": plain_object,
        "source": plain_object,
        "pool": plain_object,
        "seed": whole_number(),
        "models": plain_object,
        "software": mapping(text()),
        "shards": every(RECEIPT_SHAPE),
        "parent": optional(mapping(text())),
        "schema_version": whole_number(),
        "configuration_hash": text(),
        "counts": COUNTS_SHAPE,
    }
)


def hash_configuration(configuration: Mapping[str, Any]) -> str:
    """SHA-256 of `configuration` as canonical JSON: sorted keys, no spaces.

    Raises:
        TypeError, ValueError: it holds something that is not plain data.
    """
    text = json.dumps(
        configuration, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    return hashlib.sha256(text.encode()).hexdigest()


def software_versions() -> dict[str, str]:
    """The versions of Python and of the installed packages that the bytes may depend on."""
    versions = {"python": platform.python_version()}
    for name in SOFTWARE:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What a pair data set is made of and made by.

    `configuration` is the plain data that, with the pictures, determines the shards; its hash is in
    every receipt. `configuration["thresholds"]` holds the thresholds of Select by name and
    `configuration["edits"]` the greatest number of pairs of one source. `source` and `pool`
    describe where the source pictures and the pseudo-targets come from, as `Source.describe` does;
    `models` gives id and revision of each part. `parent` names the data set this one was selected
    from anew, by configuration hash and manifest hash, and is None for one that was built. `shards`
    are the receipts, by number.
    """

    configuration: Mapping[str, Any]
    source: Mapping[str, Any]
    pool: Mapping[str, Any]
    seed: int
    models: Mapping[str, Any]
    software: Mapping[str, str]
    shards: tuple[ShardReceipt, ...]
    parent: Mapping[str, str] | None = None
    schema_version: int = SCHEMA_VERSION
    configuration_hash: str = field(init=False)
    counts: Counts = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "configuration_hash", hash_configuration(self.configuration))
        object.__setattr__(self, "counts", sum((s.counts for s in self.shards), Counts()))

    def as_dict(self) -> dict[str, Any]:
        """The manifest as plain data."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Manifest":
        """Inverse of `as_dict`; hash and counts are derived again and must be those given.

        Raises:
            ValueError: `data` is not a manifest of a schema version known here.
        """
        if isinstance(data, dict) and "schema_version" in data:
            check_version(data["schema_version"])
        _SHAPE(data, "")
        names = {f.name for f in dataclasses.fields(cls) if f.init} - {"shards"}
        shards = tuple(ShardReceipt.from_dict(shard) for shard in data["shards"])
        manifest = cls(**{name: data[name] for name in names}, shards=shards)
        derived = {
            "configuration_hash": manifest.configuration_hash,
            "counts": dataclasses.asdict(manifest.counts),
        }
        for name, value in derived.items():
            if data[name] != value:
                raise ValueError(f"{name} does not follow from the rest")
        return manifest

    def problems(self) -> list[str]:
        """One line for each thing in the manifest that contradicts another."""
        lines = [line for shard in self.shards for line in shard.problems()]
        numbers = [shard.number for shard in self.shards]
        counts = {shard.of for shard in self.shards}
        if numbers != list(range(len(numbers))) or counts - {len(numbers)}:
            got = f"{_some(numbers)} of {_some(sorted(counts))}"
            lines.append(f"shards must be 0 to N-1 of N, got {got}")
        lines += [
            f"shard {shard.number}: made with configuration {shard.configuration_hash}, "
            f"the manifest's is {self.configuration_hash}"
            for shard in self.shards
            if shard.configuration_hash != self.configuration_hash
        ]
        return lines

    def file_names(self) -> list[str]:
        """The names of all files of all shards, receipts included, sorted."""
        names = [file.name for shard in self.shards for file in shard.files]
        names += [receipt_file(s.shard) for s in self.shards]
        return sorted(names)


def load_manifest(folder: Path) -> Manifest:
    """The manifest in `folder`.

    Raises:
        OutputError: there is none, or it cannot be used.
    """
    path = folder / MANIFEST
    try:
        return Manifest.from_dict(parse_json(read_bounded(path, most_manifest_bytes(folder))))
    except ValueError as error:
        raise OutputError(f"{path} is not a manifest: {error}") from error


def most_manifest_bytes(folder: Path) -> int:
    """How large the manifest in `folder` may be: what it claims, the folder must have receipts of.

    Raises:
        OutputError: the folder cannot be read.
    """
    try:
        receipts = sum(1 for _ in folder.glob("shard-*-of-*.json"))
    except OSError as error:
        raise OutputError(f"cannot read {folder}: {error.strerror or error}") from error
    return LARGE_BYTES + BYTES_A_SHARD * receipts


def _some(numbers: list[int]) -> str:
    return str(numbers) if len(numbers) <= 8 else f"{numbers[:8]} and {len(numbers) - 8} more"
