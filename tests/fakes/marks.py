"""Pairs that were ranked, and judges who mark them, without a data set."""

from pipelines.marks.judged import JudgedPairs
from pipelines.marks.marks_file import Heading, Mark, Marks
from pipelines.marks.strata import Design, RankedPair, arrange


def ranked(count, *, score=lambda n, count: n / count, **more):
    """So many pairs, the scores of which rise; `more` are other scores, functions of the number."""
    pairs = []
    for number in range(count):
        scores = {"quality": score(number, count)}
        scores |= {name: make(number, count) for name, make in more.items()}
        pairs.append(RankedPair(number, f"pair-{number:04d}", f"target-{number:04d}", scores))
    return pairs


def judged(pairs, right, *, marks, judge="a", design=None, verdict=None):
    """The first `marks` of the draw, marked by `right(pair)` or `verdict(pair)`."""
    design = design or Design()
    drawn = arrange(pairs, design)
    found = Marks(Heading("0" * 64, design))
    for pair in drawn[:marks]:
        said = verdict(pair) if verdict else ("right" if right(pair) else "wrong")
        found.take(Mark(pair.key, pair.target_key, judge, said))
    return JudgedPairs(drawn, found)
