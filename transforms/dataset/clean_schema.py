"""The columns that a cleaned data set has beside those of every other.

A cleaned data set is one whose configuration has `clean`: its pairs and rejects say in which split
and which groups of near-copies they are, and what was measured of their pictures.
"""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from transforms.dataset.schema import (
    CANDIDATE_COLUMNS,
    IMAGE,
    PAIR_COLUMNS,
    REJECT_COLUMNS,
    SCHEMA_VERSION,
    Column,
    columns_at,
    make_schema,
)

CLEAN = "clean"
"""Under this name a configuration holds how the data set was cleaned."""

MEASURED_OF_BOTH = ("sharpness", "flat", "text", "aesthetic")
SIDES = ("source", "target")

_MEANINGS = {
    "sharpness": "variance of the Laplacian of luma",
    "flat": "share of its most common colour, 0 to 1",
    "text": "share of what is not blank that is of two tones as print is, 0 to 1",
    "aesthetic": "score of the aesthetic head",
}
_WORDS = {"source": "the source picture", "target": "the pseudo-target"}

CLEAN_COLUMNS = (
    Column("split", pa.string(), "the split it belongs to; null where there are none"),
    Column("source_group", pa.string(), "the source picture's group of near-copies"),
    Column("target_group", pa.string(), "the pseudo-target's group of near-copies"),
    Column("target_width", pa.int64(), "width of the pseudo-target in pixels"),
    Column("target_height", pa.int64(), "height of the pseudo-target in pixels"),
    *(
        Column(f"{side}_{name}", pa.float64(), f"{_WORDS[side]}: {_MEANINGS[name]}")
        for side in SIDES
        for name in MEASURED_OF_BOTH
    ),
)
CLEAN_NAMES = tuple(column.name for column in CLEAN_COLUMNS)

_COLUMNS = {
    "pairs": (*PAIR_COLUMNS, *CLEAN_COLUMNS),
    "rejects": (*REJECT_COLUMNS, *CLEAN_COLUMNS),
    "candidates": CANDIDATE_COLUMNS,
}
_PLAIN = {"pairs": PAIR_COLUMNS, "rejects": REJECT_COLUMNS, "candidates": CANDIDATE_COLUMNS}


def is_clean(configuration: Mapping[str, Any]) -> bool:
    """Whether a data set of this configuration was cleaned."""
    return CLEAN in configuration


def columns_of(kind: str, *, clean: bool, version: int = SCHEMA_VERSION) -> tuple[Column, ...]:
    """The columns of a table (pairs, rejects or candidates) in a schema version."""
    return columns_at((_COLUMNS if clean else _PLAIN)[kind], version)


CLEAN_SCHEMAS = {kind: make_schema(columns) for kind, columns in _COLUMNS.items()}


def light_schema(kind: str, *, clean: bool, version: int) -> pa.Schema:
    """The columns of a table in a version that are light enough to be held for a whole shard."""
    columns = columns_of(kind, clean=clean, version=version)
    return pa.schema([pa.field(c.name, c.type) for c in columns if c.type != IMAGE])


def split_names(configuration: Mapping[str, Any]) -> tuple[str, ...]:
    """The splits of a data set, in the order of its shards; none where it has none.

    Of S splits and N shards, the first N / S shards are of the first split, and so on.
    """
    found = configuration.get(CLEAN)
    layout = found.get("layout") if isinstance(found, dict) else None
    return tuple(map(str, layout)) if isinstance(layout, list) else ()


def choose_split(configuration: Mapping[str, Any], wanted: str) -> str | None:
    """The split `wanted` where a data set has it; None, which is all of it, where it has none.

    Those who train want `train`, those who evaluate `test`.
    """
    return wanted if wanted in split_names(configuration) else None


def split_of_shard(number: int, of: int, names: tuple[str, ...]) -> str | None:
    """The split that shard `number` of `of` is of; None where there are no `names`."""
    return names[number * len(names) // of] if names else None
