import dataclasses

import pyarrow as pa
import pytest

from transforms.dataset import schema
from transforms.dataset.edit_words import edit_problem
from transforms.dataset.plain_data import PlainDataError, parse_json
from transforms.dataset.rules import REJECT_RULES, RULES, Rule, find_breaches
from transforms.record import Mask, Scores


def test_every_column_has_a_rule():
    for columns, rules in ((schema.PAIR_COLUMNS, RULES), (schema.REJECT_COLUMNS, REJECT_RULES)):
        for column in columns:
            assert (column.name in rules) == (column.type != schema.IMAGE), column.name
    for field in schema.candidate_type():
        assert f"target_{field.name}" in RULES or field.name in RULES
    assert {schema.score_column(f.name) for f in dataclasses.fields(Scores)} <= RULES.keys()
    assert {"area", "confidence"} <= {f.name for f in dataclasses.fields(Mask)}


@pytest.mark.parametrize("name", ["source_nsfw", "source_alt_text", "target_url", "score_margin"])
def test_what_may_be_null_may(name):
    kind = schema.PAIRS.field(name).type
    assert list(find_breaches(name, pa.nulls(2, kind), RULES[name])) == []


def test_a_breach_names_place_value_and_rule():
    values = pa.array([0.5, None, 1.5, float("nan"), -0.1])
    rule = Rule(least=0, most=1)
    assert list(find_breaches("share", values, rule)) == [
        (1, "share must not be null"),
        (2, "share must be in [0, 1], got 1.5"),
        (3, "share must be in [0, 1], got nan"),
        (4, "share must be in [0, 1], got -0.1"),
    ]
    assert (
        list(find_breaches("cosine", pa.array([1.0005]), Rule(most=1, least=-1, slack=1e-3))) == []
    )


def edit(caption, prompt, old, new, **changes):
    row = {"caption": caption, "edit_prompt": prompt, "source_word": old, "target_word": new}
    return row | {"source_phrase": old, "target_phrase": new, "method": "search"} | changes


@pytest.mark.parametrize(
    "row",
    [
        edit("An  old car", "A  new car", "old", "new"),
        edit('AN "old" car', 'A "new" car', "old", "new"),
        edit("two dogs and a dog", "two dogs and a cat", "dog", "cat"),
        edit("an owl", "a bat", "owl", "bat"),
        edit("The car is red", "The car is blue", "red", "blue", source_phrase="red car"),
        edit("A red car.", "a BLUE car", "red", "BLUE", method="mine"),
        edit("an apple", "a pear", "apple", "pear", method="mine"),
        edit("a dog", "the cat", "dog", "cat", method="mine"),
        edit("There is a dog running.", "two dogs run", "a dog", "two dogs", method="mine"),
    ],
)
def test_edits_that_are_right(row):
    assert edit_problem(row) is None


@pytest.mark.parametrize(
    "row",
    [
        edit("a dog", "a cat sleeps", "dog", "cat"),
        edit("a dog", "a dog", "dog", "dog"),
        edit("a dog runs", "the cat runs", "dog", "cat"),
        edit("a dog", "a cat", "cow", "cat"),
        edit("a dog", "a cat", "dog", "cat", source_phrase="big dog"),
        edit("a dog", "a cat", "dog", "cat", target_phrase="animal"),
        edit("a red dog", "a blue cat", "dog", "cat", method="mine"),
        edit("a dog", "a cat on a mat in a box", "dog", "cat", method="mine"),
        edit("a" * 10**6, "b" * 10**6, "a", "b"),
    ],
)
def test_edits_that_are_not(row):
    assert edit_problem(row) is not None


def test_json_is_read_as_it_stands():
    assert parse_json(b'{"a": [1, 0.5, null, true, "\xc3\xa4"]}') == {
        "a": [1, 0.5, None, True, "ä"]
    }
    with pytest.raises(PlainDataError, match="a name must stand once"):
        parse_json(b'{"a": {"b": 1, "b": 1}}')
