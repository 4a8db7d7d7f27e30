import dataclasses

import apache_beam as beam
import pytest
from apache_beam.testing.util import assert_that, equal_to
from fakes.index import draw, picture, query

from transforms.record import Batch, Candidate, EditExample, Reject, Scores, reject_source
from transforms.select import (
    REASONS,
    Select,
    SelectionThresholds,
    baseline,
    quality,
    select,
    select_batch,
)

CAPTION, EDIT_PROMPT = "a red cup and a blue box", "a green cup and a blue box"
SOURCE = picture("source", draw("red", 20, 20), CAPTION)
GOOD = Scores(
    retrieval=0.8,
    rank=1,
    margin=0.1,
    text_image_source=0.5,
    text_image_target=0.5,
    directional=0.5,
    image_image=0.7,
    structure=0.8,
    new_word=1,
    old_word=0,
    rest=1,
    source_confidence=0.9,
    target_confidence=0.9,
)
STRICT = SelectionThresholds(
    rest=0.9,
    word_order=0.9,
    source_confidence=0.5,
    target_confidence=0.5,
    text_image_source=0.2,
    text_image_target=0.2,
    directional=0.2,
    structure=0.5,
    image_image=0.95,
)


def candidate(row, caption=EDIT_PROMPT, **scores):
    return Candidate(
        row=row,
        key=f"k{row}",
        reference=f"r{row}",
        content_sha256=f"c{row}",
        caption=caption,
        scores=dataclasses.replace(GOOD, **scores),
    )


def asked(*candidates, number=0, source=SOURCE):
    return query(source, EDIT_PROMPT, candidates=candidates, number=number)


def batch(*records):
    return Batch("s0", 0, records)


def test_a_good_candidate_is_taken():
    question = asked(candidate(1))
    assert select(question, STRICT) == EditExample(query=question, target=question.candidates[0])


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ({"source_confidence": 0.4}, "source_caption_unsure"),
        ({"text_image_source": 0.1}, "source_unlike_caption"),
        ({"new_word": 0}, "target_lacks_new_word"),
        ({"old_word": 1}, "target_keeps_old_word"),
        ({"rest": 0.5}, "rest_differs"),
        ({"caption": "a blue cup and a green box"}, "order_differs"),
        ({"target_confidence": 0.4}, "target_caption_unsure"),
        ({"image_image": 0.99}, "too_alike"),
        ({"text_image_target": 0.1}, "target_unlike_prompt"),
        ({"directional": 0.1}, "directional_too_low"),
        ({"structure": 0.4}, "structure_differs"),
        ({"directional": None}, "directional_too_low"),
        ({"image_image": None}, "too_alike"),
        ({"new_word": None}, "target_lacks_new_word"),
    ],
)
def test_each_check_rejects_by_its_name(fault, reason):
    question = asked(candidate(1, **fault))
    reject = select(question, STRICT)
    assert isinstance(reject, Reject)
    assert (reject.stage, reject.reason) == ("select", reason)
    assert reject.reason in REASONS
    assert (reject.key, reject.number, reject.edit_prompt) == ("source", 0, EDIT_PROMPT)
    assert reject.target_key == "k1"
    assert reject.scores == question.candidates[0].scores
    assert reject.detail
    assert "\n" not in reject.detail
    assert isinstance(select(question, baseline()), EditExample)


def test_every_check_can_be_switched_off():
    bad = candidate(
        1,
        caption="",
        **dict.fromkeys(("new_word", "rest", "structure", "directional"), 0.0),
        old_word=1,
        image_image=1.0,
    )
    off = SelectionThresholds(
        require_new_word=False, forbid_old_word=False, rest=None, word_order=None
    )
    assert isinstance(select(asked(bad), off), EditExample)


def test_captions_without_confidence_pass():
    question = asked(candidate(1, source_confidence=None, target_confidence=None))
    assert isinstance(select(question, STRICT), EditExample)


def test_no_candidates():
    reject = select(asked(), STRICT)
    assert (reject.reason, reject.target_key) == ("no_candidate", None)


def test_among_those_that_pass_position_decides():
    near = candidate(5, structure=0.9, rank=7, retrieval=0.1)
    far = candidate(2, structure=0.6, rank=0, retrieval=0.9)
    assert select(asked(far, near), STRICT).target == near
    assert select(asked(near, far), STRICT).target == near
    assert select(asked(near, far), dataclasses.replace(STRICT, order="retrieval")).target == far
    failing = candidate(9, structure=1.0, old_word=1)
    assert select(asked(failing, far), STRICT).target == far


def test_equal_candidates_are_told_apart_by_row():
    first, second = candidate(3), candidate(8)
    assert select(asked(second, first), STRICT).target == first


def test_the_reject_shows_the_candidate_that_came_furthest():
    lacking = candidate(1, new_word=0, structure=1.0)
    alike = candidate(2, image_image=0.99, structure=0.6)
    worse = candidate(3, image_image=0.99, structure=0.5)
    reject = select(asked(lacking, worse, alike), STRICT)
    assert (reject.reason, reject.target_key) == ("too_alike", "k2")


def test_the_baseline_takes_the_first_by_the_query_vector():
    wrong = candidate(4, caption="a dog", rank=0, new_word=0, structure=0.0)
    right = candidate(2, rank=1)
    assert select(asked(right, wrong), baseline()).target == wrong


def test_quality_rises_with_what_it_counts():
    question, plain = asked(), candidate(1)
    for better in (
        candidate(1, structure=0.9),
        candidate(1, target_confidence=1.0),
        candidate(1, directional=0.6),
    ):
        assert quality(question, better) > quality(question, plain)
    swapped = candidate(1, caption="a blue cup and a green box")
    assert quality(question, swapped) < quality(question, plain)
    empty = dataclasses.replace(plain, scores=Scores())
    assert quality(question, empty) == 1.0


def test_selection_depends_on_texts_and_scores_alone():
    question = asked(candidate(1, structure=0.6), candidate(2))
    light = dataclasses.replace(
        question,
        source=dataclasses.replace(SOURCE, image=None),
        source_embedding=b"",
        source_structure=b"",
    )
    assert select(light, STRICT).target == select(question, STRICT).target


def test_at_most_so_many_edits_a_source_in_query_order():
    other = dataclasses.replace(SOURCE, key="other")
    earlier = reject_source(SOURCE, stage="caption", reason="model_failed")
    records = (
        asked(candidate(1, new_word=0), number=0),
        asked(candidate(2), number=1),
        asked(candidate(3), number=2),
        asked(candidate(4), number=3),
        asked(candidate(5), number=0, source=other),
    )
    given = Batch("s0", 4, records, (earlier,))
    result = select_batch(given, STRICT, edits=2)
    assert (result.shard, result.number) == ("s0", 4)
    assert [example.key for example in result.records] == ["source-1", "source-2", "other-0"]
    assert [reject.reason for reject in result.rejects] == [
        "model_failed",
        "target_lacks_new_word",
        "enough_edits",
    ]
    assert result.rejects[2].target_key == "k4"
    assert len(select_batch(given, STRICT, edits=1).records) == 2


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("rest", 1.5),
        ("word_order", -0.1),
        ("structure", -1),
        ("directional", 2),
        ("image_image", -1.1),
        ("order", "random"),
    ],
)
def test_wrong_thresholds_are_refused_by_name(name, value):
    with pytest.raises(ValueError, match=rf"{name} must be .*got {value!r}"):
        SelectionThresholds(**{name: value})


def test_no_edits_at_all_are_refused():
    with pytest.raises(ValueError, match="edits must be at least 1, got 0"):
        select_batch(batch(), STRICT, edits=0)


def test_the_stage_is_its_function():
    given = batch(asked(candidate(1)), asked(candidate(2, rest=0.1), number=1))
    with beam.Pipeline("FnApiRunner") as pipeline:
        chosen = pipeline | beam.Create([given]) | Select(STRICT, edits=1)
        assert_that(chosen, equal_to([select_batch(given, STRICT, edits=1)]))
