import dataclasses
import json
from pathlib import Path

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms import record
from transforms.dataset import rows, schema

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
number = st.integers(0, 2**40)
share = st.floats(0, 1)
real = st.floats(allow_nan=False, allow_infinity=False)
maybe_text, maybe_real, maybe_number = (st.none() | each for each in (text, real, number))

scores = st.builds(
    record.Scores,
    **{name: maybe_number if name == "rank" else maybe_real for name in record.SCORE_NAMES},
)
pass_through = {
    "caption_confidence": maybe_real,
    "url": maybe_text,
    "licence": maybe_text,
    "nsfw": maybe_text,
    "watermark": maybe_real,
    "language": maybe_text,
    "similarity": maybe_real,
}
candidates = st.builds(
    record.Candidate,
    row=number,
    key=text,
    reference=text,
    content_sha256=text,
    caption=text,
    scores=scores,
    **pass_through,
)


@st.composite
def queries(draw):
    words = {
        f.name: draw(text)
        for f in dataclasses.fields(record.EditQuery)
        if f.type is str and f.name != "method"
    }
    source = draw(
        st.builds(
            record.SourceImage,
            key=text,
            shard=text,
            position=number,
            reference=text,
            content_sha256=text,
            width=number,
            height=number,
            alt_text=maybe_text,
            caption=st.just(words["caption"]),
            **pass_through,
        )
    )
    return record.EditQuery(
        source=source,
        number=draw(number),
        alternatives=draw(number),
        method=draw(st.sampled_from(record.SEARCH_METHODS)),
        candidates=tuple(draw(st.lists(candidates, max_size=3))),
        **words,
    )


masks = st.builds(record.Mask, png=st.binary(max_size=8), area=share, confidence=share)
rejects = st.builds(
    record.Reject,
    key=text,
    shard=text,
    position=number,
    stage=text,
    reason=text,
    detail=text,
    number=maybe_number,
    caption=maybe_text,
    edit_prompt=maybe_text,
    target_key=maybe_text,
    scores=scores,
)


def through_arrow(row, table):
    assert set(row) == set(table.names)
    return pa.Table.from_pylist([row], table).to_pylist()[0]


@settings(max_examples=60, deadline=None)
@given(queries(), candidates, st.none() | masks, st.none() | masks, st.binary(), st.binary())
def test_a_pair_comes_back_from_its_row(query, target, source_mask, target_mask, before, after):
    query = rows.light_query(query)
    example = record.EditExample(
        query=query, target=target, source_mask=source_mask, target_mask=target_mask
    )
    row = rows.pair_to_row(example, input_image=before, edited_image=after)
    back = through_arrow(row, schema.PAIRS)
    assert rows.row_to_pair(back) == example
    assert back["key"] == example.key
    assert back["input_image"] == {"bytes": before, "path": None}
    assert back["edited_image"] == {"bytes": after, "path": None}
    computed = source_mask is not None and target_mask is not None
    assert back["mask_status"] == ("computed" if computed else "not_computed")


@settings(max_examples=60, deadline=None)
@given(rejects)
def test_a_reject_comes_back_from_its_row(reject):
    assert rows.row_to_reject(through_arrow(rows.reject_to_row(reject), schema.REJECTS)) == reject


@settings(max_examples=60, deadline=None)
@given(queries())
def test_a_query_comes_back_from_its_row(query):
    assert rows.row_to_query(through_arrow(rows.query_to_row(query), schema.CANDIDATES)) == query


def names(kind):
    return [f.name for f in dataclasses.fields(kind)]


def test_columns_hold_every_field_of_the_records():
    assert list(schema.SCORE_MEANINGS) == names(record.Scores)
    assert sorted(schema.SOURCE_FIELDS) == sorted(set(names(record.SourceImage)) - {"image"})
    assert sorted(schema.TARGET_FIELDS) == sorted(set(names(record.Candidate)) - {"scores"})
    not_stored = {
        "source",
        "candidates",
        "source_embedding",
        "source_structure",
        "caption_embedding",
        "edit_embedding",
    }
    assert sorted(schema.QUERY_FIELDS) == sorted(set(names(record.EditQuery)) - not_stored)
    columns = set(schema.PAIRS.names)
    assert columns >= {*schema.SOURCE_FIELDS.values(), *schema.TARGET_FIELDS.values()}
    assert columns >= {*schema.QUERY_FIELDS, *(schema.score_column(n) for n in record.SCORE_NAMES)}
    reject_scores = {schema.score_column(name) for name in record.SCORE_NAMES}
    assert set(schema.REJECTS.names) == set(names(record.Reject)) - {"scores"} | reject_scores


def test_light_records_hold_no_pictures_and_no_embeddings():
    fields = {
        "key": "k", "shard": "s", "position": 0, "reference": "r", "content_sha256": "h",
        "width": 1, "height": 1, "image": b"picture",
    }  # fmt: skip
    words = dict.fromkeys([f.name for f in dataclasses.fields(record.EditQuery)][2:12], "w")
    query = record.EditQuery(
        source=record.SourceImage(**fields),
        number=0,
        **words,
        source_embedding=b"e",
        source_structure=b"e",
        caption_embedding=b"e",
        edit_embedding=b"e",
        candidates=("one",),
    )
    light = rows.light_query(query)
    assert light.source.image is None
    assert light.candidates == ()
    assert not any(getattr(light, f.name) == b"e" for f in dataclasses.fields(light))


def test_picture_columns_are_what_datasets_takes_for_pictures():
    struct = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    features = json.loads(schema.PAIRS.metadata[b"huggingface"])["info"]["features"]
    assert features == {name: {"_type": "Image"} for name in schema.IMAGE_COLUMNS}
    for name in ("input_image", "edited_image", "source_mask", "target_mask"):
        assert name in features
        assert schema.PAIRS.field(name).type == struct
        assert schema.PAIRS.field(name).nullable


def test_the_document_explains_every_column():
    document = (Path(__file__).parent.parent / "docs" / "dataset.md").read_text()
    for columns in (schema.PAIR_COLUMNS, schema.REJECT_COLUMNS, schema.CANDIDATE_COLUMNS):
        for column in columns:
            assert f"| `{column.name}` |" in document
            assert column.meaning in document
