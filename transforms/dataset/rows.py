"""From a record to a row of its table and back; each way undoes the other.

Rows hold no embeddings, and a record made from a row holds no pictures: it is the light form of
the record, which is also what travels through a shuffle.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

from transforms.dataset.schema import (
    CANDIDATE_FIELDS,
    LATER_COLUMNS,
    MASK_COMPUTED,
    MASK_NOT_COMPUTED,
    QUERY_FIELDS,
    SCORE_MEANINGS,
    SOURCE_FIELDS,
    TARGET_FIELDS,
    score_column,
)
from transforms.record import (
    Candidate,
    EditExample,
    EditQuery,
    Mask,
    Reject,
    Scores,
    SourceImage,
)

Row = dict[str, Any]

_MAYBE_ABSENT = {*LATER_COLUMNS, *(name.removeprefix("target_") for name in LATER_COLUMNS)}
_SCORE_FIELDS = tuple((name, score_column(name)) for name in SCORE_MEANINGS)


def light_source(source: SourceImage) -> SourceImage:
    """`source` without its picture bytes."""
    return dataclasses.replace(source, image=None)


def light_query(query: EditQuery) -> EditQuery:
    """`query` without picture, embeddings and candidates."""
    return dataclasses.replace(
        query,
        source=light_source(query.source),
        source_embedding=b"",
        source_structure=b"",
        caption_embedding=b"",
        edit_embedding=b"",
        candidates=(),
    )


def light_example(example: EditExample) -> EditExample:
    """`example` as a row of the pairs holds it: no pictures, embeddings or candidates."""
    return dataclasses.replace(example, query=light_query(example.query))


def image_struct(data: bytes | None) -> dict[str, bytes | None] | None:
    """The value of a picture column: encoded bytes, or null where there is no picture."""
    return None if data is None else {"bytes": data, "path": None}


def _scores_to_row(scores: Scores) -> Row:
    return {column: getattr(scores, name) for name, column in _SCORE_FIELDS}


def scores_from_row(row: Mapping[str, Any]) -> Scores:
    """The scores in a row of any of the tables; None where one was not measured."""
    return Scores(**{name: row[column] for name, column in _SCORE_FIELDS})


def _query_to_row(query: EditQuery) -> Row:
    row: Row = {"key": query.key}
    row |= {column: getattr(query.source, name) for name, column in SOURCE_FIELDS.items()}
    row |= {name: getattr(query, name) for name in QUERY_FIELDS}
    return row | {"edit_instruction": query.edit_instruction or None}


def _fields(row: Mapping[str, Any], columns: Mapping[str, str]) -> Row:
    """The fields of a record by the columns that hold them; of a later one that is absent, None."""
    return {
        name: row.get(column) if column in _MAYBE_ABSENT else row[column]
        for name, column in columns.items()
    }


def _query_from_row(row: Mapping[str, Any], candidates: tuple[Candidate, ...] = ()) -> EditQuery:
    source = SourceImage(**_fields(row, SOURCE_FIELDS))
    fields = {name: row[name] for name in QUERY_FIELDS if name not in LATER_COLUMNS}
    fields["edit_instruction"] = row.get("edit_instruction") or ""
    return EditQuery(source=source, candidates=candidates, **fields)


def _mask_to_row(mask: Mask | None, side: str) -> Row:
    return {
        f"{side}_mask": image_struct(mask.png if mask else None),
        f"{side}_mask_area": mask.area if mask else None,
        f"{side}_mask_confidence": mask.confidence if mask else None,
    }


def _mask_from_row(row: Mapping[str, Any], side: str) -> Mask | None:
    picture = row[f"{side}_mask"]
    if picture is None:
        return None
    area, confidence = row[f"{side}_mask_area"], row[f"{side}_mask_confidence"]
    return Mask(png=picture["bytes"], area=area, confidence=confidence)


def pair_to_row(example: EditExample, *, input_image: bytes, edited_image: bytes) -> Row:
    """The row of the pairs for `example` and its two encoded pictures."""
    masked = example.source_mask is not None and example.target_mask is not None
    return {
        **_query_to_row(example.query),
        **{column: getattr(example.target, name) for name, column in TARGET_FIELDS.items()},
        **_scores_to_row(example.target.scores),
        **_mask_to_row(example.source_mask, "source"),
        **_mask_to_row(example.target_mask, "target"),
        "mask_status": MASK_COMPUTED if masked else MASK_NOT_COMPUTED,
        "input_image": image_struct(input_image),
        "edited_image": image_struct(edited_image),
    }


def row_to_pair(row: Mapping[str, Any]) -> EditExample:
    """The light example of a row of the pairs; inverse of `pair_to_row` but for the pictures."""
    return EditExample(
        query=_query_from_row(row),
        target=Candidate(**_fields(row, TARGET_FIELDS), scores=scores_from_row(row)),
        source_mask=_mask_from_row(row, "source"),
        target_mask=_mask_from_row(row, "target"),
    )


def reject_to_row(reject: Reject) -> Row:
    """The row of the rejects for `reject`."""
    fields = (f.name for f in dataclasses.fields(Reject) if f.name != "scores")
    return {name: getattr(reject, name) for name in fields} | _scores_to_row(reject.scores)


def row_to_reject(row: Mapping[str, Any]) -> Reject:
    """Inverse of `reject_to_row`."""
    fields = {f.name: row[f.name] for f in dataclasses.fields(Reject) if f.name != "scores"}
    return Reject(**fields, scores=scores_from_row(row))


def _candidate_to_row(candidate: Candidate) -> Row:
    row = {column: getattr(candidate, name) for name, column in CANDIDATE_FIELDS.items()}
    return row | _scores_to_row(candidate.scores)


def _candidate_from_row(row: Mapping[str, Any]) -> Candidate:
    return Candidate(**_fields(row, CANDIDATE_FIELDS), scores=scores_from_row(row))


def query_to_row(query: EditQuery) -> Row:
    """The row of the candidates for `query` and all that was considered for it."""
    candidates = [_candidate_to_row(candidate) for candidate in query.candidates]
    return _query_to_row(query) | {"candidates": candidates}


def row_to_query(row: Mapping[str, Any]) -> EditQuery:
    """The light query of a row of the candidates; inverse of `query_to_row`."""
    return _query_from_row(row, tuple(_candidate_from_row(each) for each in row["candidates"]))
