import dataclasses

import apache_beam as beam
import numpy as np
import pytest
from apache_beam.testing.util import assert_that, equal_to
from fakes.index import build_index, draw, embedded, picture, query

from transforms.pictures.structure import structure_similarity
from transforms.record import Batch, Candidate
from transforms.retrieve import Retrieve, RetrieveOptions, query_vectors, retrieve_batch
from transforms.scores import as_bytes, as_vector, normalised

EDIT_PROMPT = "a green disc on the left"


@pytest.fixture(scope="module")
def index(tmp_path_factory, pool):
    return build_index(tmp_path_factory.mktemp("index"), [pool])


@pytest.fixture(scope="module")
def asked(pool):
    return embedded(query(pool[1], EDIT_PROMPT))


def batch(*records):
    return Batch("s0", 0, tuple(records))


def retrieve(asked, index, **options):
    (record,) = retrieve_batch(batch(asked), index, RetrieveOptions(**options)).records
    return record.candidates


def test_the_four_query_vectors(asked):
    image, caption, edit = (
        as_vector(data).astype(float)
        for data in (asked.source_embedding, asked.caption_embedding, asked.edit_embedding)
    )
    expected = {
        ("mean", None): image / 2 + edit / 2,
        ("text", None): edit,
        ("delta", None): image + (edit - caption),
        ("delta", 2.0): image + 2 * (edit - caption),
        ("blend", None): edit + 0.3 * image,
        ("blend", 0.7): edit + 0.7 * image,
    }
    for (kind, weight), vector in expected.items():
        (found,) = query_vectors([asked], RetrieveOptions(query=kind, weight=weight))
        assert found.dtype == np.float32
        assert np.allclose(found, vector / np.linalg.norm(vector), atol=1e-6), kind


def test_the_mean_normalises_both_before_it_averages(asked):
    (expected,) = query_vectors([asked], RetrieveOptions(query="mean"))
    longer = dataclasses.replace(
        asked, source_embedding=as_bytes(5 * as_vector(asked.source_embedding))
    )
    (found,) = query_vectors([longer], RetrieveOptions(query="mean"))
    assert np.allclose(found, expected, atol=1e-6)


def test_search_gives_the_nearest_but_never_the_source(asked, index):
    candidates = retrieve(asked, index, query="mean", candidates="search", k=5)
    (vector,) = query_vectors([asked], RetrieveOptions(query="mean"))
    inner = index.embeddings(range(12)) @ vector
    expected = [row for row in np.argsort(-inner) if row != 1][:5]
    assert [candidate.row for candidate in candidates] == expected
    assert [candidate.scores.rank for candidate in candidates] == list(range(5))


def test_every_score_is_filled(asked, index):
    candidates = retrieve(asked, index, query="delta", candidates="both", k=4)
    (vector,) = query_vectors([asked], RetrieveOptions(query="delta"))
    image, caption, edit = (
        as_vector(data)
        for data in (asked.source_embedding, asked.caption_embedding, asked.edit_embedding)
    )
    for place, candidate in enumerate(candidates):
        scores, target = candidate.scores, index.embedding(candidate.row)
        assert scores.retrieval == pytest.approx(float(vector @ target), abs=1e-5)
        assert scores.text_image_source == pytest.approx(float(image @ caption), abs=1e-5)
        assert scores.text_image_target == pytest.approx(float(target @ edit), abs=1e-5)
        assert scores.image_image == pytest.approx(float(target @ image), abs=1e-5)
        change = normalised(target - image) @ normalised(edit - caption)
        assert scores.directional == pytest.approx(float(change), abs=1e-5)
        structure = index.structure(candidate.row).tobytes()
        alike = structure_similarity(asked.source_structure, structure)
        assert scores.structure == pytest.approx(alike)
        assert scores.source_confidence == scores.target_confidence == pytest.approx(0.9)
        last = place + 1 == len(candidates)
        gap = None if last else scores.retrieval - candidates[place + 1].scores.retrieval
        assert scores.margin == (None if last else pytest.approx(gap, abs=1e-6))
        entry = index.row(candidate.row)
        assert (candidate.key, candidate.caption) == (entry.key, entry.caption)
        assert scores.new_word == ("green" in candidate.caption)
        assert scores.old_word == ("red" in candidate.caption)
        assert (scores.rest == 1) == (candidate.caption == EDIT_PROMPT)


def test_candidates_with_the_words_of_the_edit_prompt(asked, index, pool):
    candidates = retrieve(asked, index, candidates="mine")
    assert {candidate.key for candidate in candidates} == {"green-18-18", "green-18-46"}
    (best,) = retrieve(asked, index, candidates="mine", cap=1)
    assert best.key == "green-18-46"
    other = embedded(query(pool[0], EDIT_PROMPT))
    assert [each.key for each in retrieve(other, index, candidates="mine", cap=1)] == [
        "green-18-18"
    ]


def test_of_many_with_the_words_those_in_the_same_place_are_kept(tmp_path, pool):
    in_place = picture("place", draw("green", 18, 46, ground=(60, 55, 50)), EDIT_PROMPT)
    same_ground = picture("ground", draw("green", 24, 40), EDIT_PROMPT)
    index = build_index(tmp_path, [[same_ground, in_place]])
    asked = embedded(query(pool[1], EDIT_PROMPT))
    scores = {each.key: each.scores for each in retrieve(asked, index, candidates="mine")}
    assert scores["ground"].image_image > scores["place"].image_image
    (best,) = retrieve(asked, index, candidates="mine", cap=1)
    assert best.key == "place"


def test_both_kinds_come_together_once_each(asked, index):
    both = retrieve(asked, index, query="mean", candidates="both", k=2)
    searched = retrieve(asked, index, query="mean", candidates="search", k=2)
    mined = retrieve(asked, index, query="mean", candidates="mine")
    rows = [candidate.row for candidate in both]
    assert len(rows) == len(set(rows))
    assert set(rows) == {candidate.row for candidate in (*searched, *mined)}
    falling = [candidate.scores.retrieval for candidate in both]
    assert falling == sorted(falling, reverse=True)


def test_copies_and_near_copies_are_passed_over(tmp_path, pool):
    source = pool[1]
    copy = dataclasses.replace(source, key="copy")
    nearly = picture("nearly", draw((201, 30, 30), 18, 46), EDIT_PROMPT)
    index = build_index(tmp_path, [[source, copy, nearly, *pool[4:8]]])
    asked = embedded(query(source, EDIT_PROMPT))
    for kind in ("search", "mine", "both"):
        keys = {each.key for each in retrieve(asked, index, candidates=kind)}
        assert keys
        assert keys.isdisjoint({source.key, "copy", "nearly"})
    lenient = {each.key for each in retrieve(asked, index, near_copy=None)}
    assert "nearly" in lenient
    assert lenient.isdisjoint({source.key, "copy"})


def test_search_looks_further_where_copies_stand_in_front(tmp_path, pool):
    copies = [dataclasses.replace(pool[1], key=f"copy{number}") for number in range(40)]
    index = build_index(tmp_path, [[*copies, *pool]])
    asked = embedded(query(pool[1], EDIT_PROMPT))
    options = {"query": "delta", "weight": 0.01, "candidates": "search", "k": 3}
    assert len(retrieve(asked, index, **options)) == 3


def test_an_index_of_copies_alone_gives_no_candidate(tmp_path, pool):
    index = build_index(tmp_path, [[pool[1]]])
    assert retrieve(embedded(query(pool[1], EDIT_PROMPT)), index) == ()


def test_mined_candidates_are_kept_and_scored(asked, index):
    mined = tuple(
        Candidate(row=row, key=index.key(row), reference="", content_sha256="", caption="")
        for row in (5, 4, 1)
    )
    given = dataclasses.replace(asked, method="mine", candidates=mined)
    candidates = retrieve(given, index)
    assert {candidate.row for candidate in candidates} == {4, 5}
    assert all(candidate.scores.structure is not None for candidate in candidates)
    assert candidates[0].reference == index.row(candidates[0].row).reference


def test_a_mined_candidate_keeps_the_caption_that_was_mined(asked, index):
    caption = "a green disc, which is on the left"
    mined = Candidate(row=5, key=index.key(5), reference="", content_sha256="", caption=caption)
    given = dataclasses.replace(asked, method="mine", candidates=(mined,))
    (candidate,) = retrieve(given, index)
    assert candidate.caption == caption != index.row(5).caption
    assert candidate.scores.rest == pytest.approx(3 / 5)


def test_a_query_is_answered_alike_whatever_it_is_batched_with(asked, index, pool):
    others = [embedded(query(source, EDIT_PROMPT)) for source in pool]
    options = RetrieveOptions(query="blend", k=4)
    (alone,) = retrieve_batch(batch(asked), index, options).records
    together = retrieve_batch(batch(*others[2:], asked), index, options).records
    assert together[-1] == alone


def test_queries_without_embeddings_are_a_fault_of_the_program(pool, index):
    with pytest.raises(ValueError, match="Embed comes before Retrieve"):
        retrieve_batch(batch(query(pool[0], EDIT_PROMPT)), index, RetrieveOptions())


@pytest.mark.parametrize(
    "options",
    [
        {"query": "median"},
        {"candidates": "all"},
        {"k": 0},
        {"cap": 0},
        {"near_copy": 1.5},
        {"near_copy": 0},
        {"query": "text", "weight": 0.5},
    ],
)
def test_wrong_options_are_refused_by_name(options):
    with pytest.raises(ValueError, match=f"{next(iter(reversed(options)))}.*got"):
        RetrieveOptions(**options)


def test_the_stage_is_its_function(asked, index):
    asking = batch(asked)
    options = RetrieveOptions(k=3)
    with beam.Pipeline("FnApiRunner") as pipeline:
        found = pipeline | beam.Create([asking]) | Retrieve(index, options)
        assert_that(found, equal_to([retrieve_batch(asking, index, options)]))


def test_an_empty_batch_stays_empty(index):
    assert retrieve_batch(batch(), index, RetrieveOptions()).records == ()
