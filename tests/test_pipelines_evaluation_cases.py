"""Which pairs are evaluated, and what each asks for."""

from collections import Counter

from pipelines.evaluation.cases import draw_cases, take_turns


def test_words_take_turns():
    groups = ["red", "red", "red", "pear", "small"]
    assert take_turns([2, 0, 3, 1, 4], groups) == [2, 3, 4, 0, 1]


def test_a_balanced_draw_has_every_word(told_world):
    def words(cases):
        return Counter(case.target_phrase.split()[0] for case in cases)

    natural = words(draw_cases(told_world / "told", count=1000, seed=0))
    assert max(natural.values()) > 1
    few = words(draw_cases(told_world / "told", count=len(natural), seed=0, balanced=True))
    assert few == dict.fromkeys(natural, 1)
