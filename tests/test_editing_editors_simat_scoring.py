import numpy as np
import pytest
from fakes.simat import small_set
from test_transforms_models_adaptation_heads import draw_heads

from editing.editors.simat.scoring import (
    SetEmbeddings,
    SimatScore,
    SimatTask,
    best_lambda,
    curve,
)

ALL = np.arange(4)
# Axes: a cat, a dog, sitting, lying, and two that tell pictures of one triplet apart.
AXES = {"cat": 0, "dog": 1, "sitting on": 2, "lying on": 3}


def vector(*words, apart=None):
    found = np.zeros(6, np.float32)
    found[[AXES[word] for word in words]] = 1
    if apart is not None:
        found[4 + apart] = 0.3
    return found / np.linalg.norm(found)


def ideal(oracle=None):
    """A space in which words are what changes between pictures."""
    triplets = [("cat", "sitting on"), ("dog", "sitting on"), ("cat", "lying on")]
    queries = small_set()
    images = [vector(*triplets[shown], apart=row % 2) for row, shown in enumerate(queries.shows)]
    embeddings = SetEmbeddings(
        images=np.stack(images),
        captions=np.stack([vector(*each) for each in triplets]),
        words={word: vector(word) for word in AXES},
        sentences={
            ("cat", "dog"): (np.stack([vector("cat")]), np.stack([vector("dog")])),
        },
    )
    return SimatTask(queries=queries, embeddings=embeddings, oracle=oracle)


def test_where_words_are_what_changes_every_query_is_answered():
    task = ideal()
    score = task.score(task.starts(ALL) + task.deltas(ALL), ALL)
    assert score.at(1) == score.at(5) == pytest.approx(1)
    assert score.share(1) == 1


def test_the_source_picture_is_no_answer():
    task = ideal()
    rows = task.search(task.starts(ALL), ALL, 5)
    assert rows.shape == (4, 5)
    own = [each.picture for each in task.queries.queries]
    assert all(own[place] not in row for place, row in enumerate(rows.tolist()))
    assert [sorted({*row, own[place]}) for place, row in enumerate(rows.tolist())] == [
        list(range(6))
    ] * 4


def test_the_score_is_the_weighted_share_of_the_half():
    task = ideal()
    vectors = task.starts(ALL) + task.deltas(ALL)
    vectors[3] = task.starts(ALL)[3]  # the query of a relation is not answered
    half = task.queries.half(is_test=True)
    score = task.score(vectors[half], half)
    mu = np.array([1 / 2**0.5, 1, 1])
    assert score.at(1) == pytest.approx((mu[0] + mu[1]) / mu.sum())
    assert score.share(1) == pytest.approx(2 / 3)
    low, high = score.interval(1)
    assert 0 <= low <= score.at(1) <= high <= 1


def test_one_of_the_first_n_suffices():
    score = SimatScore(
        answered={1: np.array([True, False]), 5: np.array([True, True])},
        weights=np.array([0.25, 0.75]),
    )
    assert (score.at(1), score.at(5)) == (0.25, 1.0)


def test_an_oracle_may_see_more_than_the_triplets():
    oracle = np.zeros((6, 3))
    oracle[:, 2] = 0.6  # every picture could be of the third caption
    task = ideal(oracle)
    score = task.score(task.starts(ALL), ALL)
    assert score.answered[1].tolist() == [False, False, False, True]


def test_baselines_go_through_texts():
    task = ideal()
    assert task.score(task.targets(ALL), ALL).at(1) == pytest.approx(1)
    assert np.array_equal(
        task.nearest_captions(ALL),
        task.embeddings.captions[[each.source_caption for each in task.queries.queries]],
    )
    through = curve(task, ALL, lambdas=(1.0,), through_text=True)[1.0]
    assert through.at(1) == pytest.approx(1)


def test_deltas_are_of_words_of_captions_or_of_sentences():
    task, places = ideal(), np.array([0, 1])
    words = vector("dog") - vector("cat")
    assert np.allclose(task.deltas(places), [words, words], atol=1e-6)
    captions = vector("dog", "sitting on") - vector("cat", "sitting on")
    assert np.allclose(task.deltas(places, of="captions"), [captions] * 2, atol=1e-6)
    assert np.allclose(task.deltas(places, of="sentences"), [words, words], atol=1e-6)


def test_a_curve_has_its_best_lambda_and_of_equal_ones_that_nearest_1():
    scores = curve(ideal(), ALL, lambdas=(0.0, 0.5, 1.0, 1.5))
    assert scores[0.0].at(1) < 1
    assert scores[1.0].at(1) == scores[1.5].at(1) == pytest.approx(1)
    assert best_lambda(scores) == 1.0


def test_heads_take_pictures_and_texts_to_their_space():
    heads, task = draw_heads(), ideal()
    adapted = task.through(heads)
    assert np.allclose(
        adapted.embeddings.images, heads.adapt_images(task.embeddings.images), atol=1e-6
    )
    word = adapted.embeddings.words["dog"]
    assert np.allclose(word, heads.adapt_texts(vector("dog")[None])[0], atol=1e-6)
    before, after = adapted.embeddings.sentences["cat", "dog"]
    assert before.shape == after.shape == (1, 4)
