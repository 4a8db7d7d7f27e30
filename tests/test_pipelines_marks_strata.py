"""Which pairs are asked about: strata of one size, and an order that tells nothing."""

from collections import Counter

import pytest
from fakes.marks import ranked
from fakes.report import write_dataset
from hypothesis import given
from hypothesis import strategies as st

from pipelines.marks.strata import Design, arrange, read_ranked
from transforms.dataset.reader import open_pairs


@given(st.integers(1, 60), st.integers(1, 9), st.integers(0, 5), st.data())
def test_any_beginning_is_even_over_strata_of_one_size(count, strata, seed, data):
    pairs = arrange(ranked(count), Design(strata=strata, seed=seed))
    assert sorted(pair.position for pair in pairs) == list(range(count))
    assert [pair.order for pair in pairs] == list(range(count))
    sizes = Counter(pair.stratum for pair in pairs)
    assert len(sizes) == min(strata, count)
    assert max(sizes.values()) - min(sizes.values()) <= 1
    begun = Counter(p.stratum for p in pairs[: data.draw(st.integers(0, count))])
    counts = [begun[stratum] for stratum in sizes]
    assert max(counts) - min(counts) <= 1


def test_strata_ascend_with_the_score_and_the_place_does_not_tell_them():
    pairs = arrange(ranked(100), Design(strata=4))
    for pair in pairs:
        assert pair.stratum == pair.position // 25
    turns = [tuple(pair.stratum for pair in pairs[n : n + 4]) for n in range(0, 100, 4)]
    assert all(sorted(turn) == [0, 1, 2, 3] for turn in turns)
    assert len(set(turns)) > 5


def test_the_order_depends_on_seed_and_keys_alone():
    first = arrange(ranked(50), Design(seed=1))
    again = arrange(list(reversed(ranked(50))), Design(seed=1))
    assert first == again
    assert [p.key for p in first] != [p.key for p in arrange(ranked(50), Design(seed=2))]


def test_a_pair_without_the_score_is_of_the_lowest_stratum():
    pairs = ranked(10, score=lambda n, count: None if n == 9 else n)
    strata = {pair.position: pair.stratum for pair in arrange(pairs, Design(strata=5))}
    assert strata[9] == 0
    assert strata[8] == 4


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"strata": 0}, "strata must be at least 1, got 0"),
        ({"score": "beauty"}, "score must be one of quality, word_order, .* got 'beauty'"),
    ],
)
def test_a_design_out_of_range_is_refused(how, message):
    with pytest.raises(ValueError, match=message):
        Design(**how)


def test_the_pairs_of_a_data_set_have_their_scores(tmp_path):
    pairs = open_pairs(write_dataset(tmp_path / "data", pairs=9, rejects=2))
    found = read_ranked(pairs.table, Design(score="structure", strata=3))
    assert {pair.key for pair in found} == {pair.key for pair in pairs}
    for pair in found:
        row = pairs[pair.position].row
        assert pair.key == row["key"]
        assert pair.target_key == row["target_key"]
        assert pair.scores["structure"] == row["score_structure"]
        assert pair.scores["quality"] == pytest.approx(
            row["score_structure"]
            + pair.scores["word_order"]
            + row["score_target_confidence"] / 2
            + row["score_directional"] / 4
        )
    by_stratum = [
        [p.scores["structure"] for p in found if p.stratum == stratum] for stratum in range(3)
    ]
    assert max(by_stratum[0]) <= min(by_stratum[1])
    assert max(by_stratum[1]) <= min(by_stratum[2])
