"""Reads the public tables of SIMAT (`simat_db/`): 5 859 pictures, 645 captions, 17 996 queries.

| file | columns that are read |
|---|---|
| `triplets.csv` | `region_id`, `subj`, `rel`, `obj`, `dataset_id`: a row a picture |
| `captions.txt` | a caption a line, of the different triplets in the order they first appear in |
| `transfos.csv` | `region_id`, `field`, `value`, `target`, `target_ids`, `is_test`: a row a query |
| `retrieval_db.tsv` | `region_id`, `image_id`, `bbox`: which part of which Visual Genome picture |

`dataset_id` of `transfos.csv` is stale: a query's picture is found by its `region_id`.
"""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from editing.editors.simat.query_set import QuerySet, SimatQuery
from editing.errors import EditingError

TRIPLETS, CAPTIONS = "triplets.csv", "captions.txt"
QUERIES, CROPS = "transfos.csv", "retrieval_db.tsv"
FIELDS = ("subj", "rel", "obj")
_TRUTH = {"True": True, "False": False}


class TablesError(EditingError):
    """Tables that are not SIMAT's, in one line that names the file and the rule."""


@dataclass(frozen=True)
class Crop:
    """Where a picture of SIMAT comes from: `image_id` of Visual Genome, and the box, in pixels."""

    image_id: str
    box: tuple[int, int, int, int]


def read_tables(folder: Path) -> QuerySet:
    """The set in the tables of `folder`; its pictures are called after their regions.

    A picture's row is the `dataset_id` that `triplets.csv` has for it.

    Raises:
        TablesError: a file is missing or is none of SIMAT's, or two of them disagree.
    """
    rows = list(_rows(folder / TRIPLETS, ("region_id", *FIELDS, "dataset_id")))
    triplets = [tuple(row[name] for name in FIELDS) for row in rows]
    numbers = {triplet: number for number, triplet in enumerate(dict.fromkeys(triplets))}
    captions = _read_captions(folder / CAPTIONS, count=len(numbers))
    places = {row["region_id"]: int(row["dataset_id"]) for row in rows}
    if sorted(places.values()) != list(range(len(rows))):
        raise TablesError(f"{folder / TRIPLETS}: dataset_id must count the {len(rows)} rows from 0")
    pictures = sorted(places, key=places.__getitem__)
    of = dict(zip((row["region_id"] for row in rows), triplets, strict=True))
    return QuerySet(
        pictures=pictures,
        captions=captions,
        shows=np.array([numbers[of[region]] for region in pictures], dtype=np.int64),
        queries=tuple(_read_queries(folder / QUERIES, places, of, numbers)),
    )


def read_crops(folder: Path) -> dict[str, Crop]:
    """Which part of which picture every region is, by region.

    Raises:
        TablesError: the file is missing, or a box is none.
    """
    path = folder / CROPS
    crops = {}
    for row in _rows(path, ("region_id", "image_id", "bbox"), delimiter="\t"):
        try:
            left, top, right, bottom = map(int, row["bbox"].split(","))
        except ValueError as error:
            raise TablesError(
                f"{path}: bbox must be four whole numbers, got {row['bbox']!r}"
            ) from error
        crops[row["region_id"]] = Crop(row["image_id"], (left, top, right, bottom))
    return crops


def _read_queries(
    path: Path,
    places: Mapping[str, int],
    triplets: Mapping[str, tuple[str, ...]],
    numbers: Mapping[tuple[str, ...], int],
) -> Iterator[SimatQuery]:
    names = ("region_id", "field", "value", "target", "target_ids", "is_test")
    for line, row in enumerate(_rows(path, names), start=2):
        region, field, where = row["region_id"], row["field"], f"{path}, line {line}"
        if region not in places:
            raise TablesError(f"{where}: {TRIPLETS} has no region {region}")
        if field not in FIELDS or row["is_test"] not in _TRUTH:
            raise TablesError(f"{where}: unknown field {field!r} or is_test {row['is_test']!r}")
        source = triplets[region]
        at = FIELDS.index(field)
        wanted = (*source[:at], row["target"], *source[at + 1 :])
        if source[at] != row["value"] or numbers.get(wanted) != int(row["target_ids"]):
            raise TablesError(
                f"{where}: {row['value']} to {row['target']} is not what {TRIPLETS} makes of it"
            )
        yield SimatQuery(
            picture=places[region],
            field=field,
            source_word=row["value"],
            target_word=row["target"],
            source_caption=numbers[source],
            target_caption=numbers[wanted],
            is_test=_TRUTH[row["is_test"]],
        )


def _read_captions(path: Path, *, count: int) -> list[str]:
    try:
        captions = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise TablesError(f"{path}: cannot be read ({type(error).__name__})") from error
    if len(captions) != count:
        raise TablesError(f"{path} must have a caption for {count} triplets, got {len(captions)}")
    return captions


def _rows(path: Path, names: Sequence[str], *, delimiter: str = ",") -> Iterator[dict[str, str]]:
    """The rows of a table that has the columns `names`; numbers among them are whole."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file, delimiter=delimiter)
            missing = [name for name in names if name not in (reader.fieldnames or ())]
            if missing:
                raise TablesError(f"{path}: the column {missing[0]} is missing")
            for row in reader:
                for name in ("dataset_id", "target_ids"):
                    if name in names and not (row[name] or "").isdecimal():
                        raise TablesError(f"{path}: {name} must be a number, got {row[name]!r}")
                yield row
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise TablesError(f"{path}: cannot be read ({type(error).__name__})") from error
