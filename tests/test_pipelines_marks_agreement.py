"""Cohen's kappa, held against published figures and its own limits."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.marks.agreement import agreement, agreements
from pipelines.marks.marks_file import Heading, Mark, Marks
from pipelines.marks.strata import Design


def verdicts(table, kinds):
    return [
        (kinds[row], kinds[column])
        for row, line in enumerate(table)
        for column, count in enumerate(line)
        for _ in range(count)
    ]


def test_the_example_of_fleiss_cohen_and_everitt():
    # Table 1 of the paper, in percent of 200 subjects: kappa 0.429 with standard error 0.054.
    table = [[106, 10, 4], [22, 28, 10], [2, 12, 6]]
    found = agreement(("a", "b"), verdicts(table, ["right", "unsure", "wrong"]))
    assert found.pairs == 200
    assert found.agreed == 140
    assert found.kappa == pytest.approx(0.429, abs=5e-4)
    assert (found.high - found.low) / 2 / 1.959964 == pytest.approx(0.054, abs=1e-3)


def test_judges_who_always_agree():
    found = agreement(("a", "b"), [("right", "right")] * 5 + [("wrong", "wrong")] * 5)
    assert (found.kappa, found.low, found.high) == (1, 1, 1)


def test_one_verdict_alone_tells_nothing():
    found = agreement(("a", "b"), [("right", "right")] * 5)
    assert found.agreed == 5
    assert found.kappa is found.low is found.high is None


SAID = st.sampled_from(["right", "wrong", "unsure"])


@given(st.lists(st.tuples(SAID, SAID), min_size=1, max_size=30))
def test_kappa_is_the_same_whoever_is_first(both):
    one = agreement(("a", "b"), both)
    other = agreement(("b", "a"), [(b, a) for a, b in both])
    assert one.agreed == other.agreed
    if one.kappa is None:
        assert other.kappa is None
        return
    assert one.kappa == pytest.approx(other.kappa)
    assert -1 <= one.low <= one.kappa + 1e-9
    assert one.kappa - 1e-9 <= one.high <= 1


def test_the_interval_covers_the_true_kappa():
    random = np.random.default_rng(0)
    covered, runs = 0, 300
    for _ in range(runs):
        true = random.random(150) < 0.7
        both = [
            tuple("right" if each != (random.random() < 0.1) else "wrong" for _ in range(2))
            for each in true
        ]
        found = agreement(("a", "b"), both)
        covered += found.low <= 0.5989 <= found.high  # 0.82 agree, each says right of 0.66
    assert covered >= 0.9 * runs


def test_only_pairs_that_both_marked_count():
    marks = Marks(Heading("", Design()))
    for judge, keys in (("a", "xyz"), ("b", "yzw"), ("c", "v")):
        for key in keys:
            verdict = "wrong" if (judge, key) == ("b", "z") else "right"
            marks.take(Mark(key, key, judge, verdict))
    [found] = agreements(marks)
    assert (found.judges, found.pairs, found.agreed) == (("a", "b"), 2, 1)
