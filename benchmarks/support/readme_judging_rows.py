"""The README's rows about what people say of pairs and of instructions, from the results kept."""

from support.intervals import wilson
from support.readme_words import Row, listed
from support.results import Results


def edit_instructions(results: Results) -> list[Row]:
    """How many of the edit instructions that were read are grammatical."""
    found = results.one("edit_instructions").figures["marks"]
    judged, right = found["all"]["judged"], found["all"]["grammatical"]
    bounds = wilson(right, judged)
    assert bounds is not None
    spoilt = found["spoilt"]
    return [
        (
            "`benchmarks/edit_instructions.py`; read by one person, an author of the rules",
            f"grammatical edit instructions, {judged} of four sets",
            f"{100 * right / judged:.1f}% [{', '.join(f'{100 * b:.1f}' for b in bounds)}] (of "
            f"{spoilt['judged']} spoilt ones among them "
            f"{spoilt['judged'] - spoilt['grammatical']} were found)",
        )
    ]


def judge_coverage(results: Results) -> list[Row]:
    """How often the intervals that follow from marks cover what is true."""
    figures = results.one("judge_coverage").figures
    runs, judgings = figures["runs"], figures["judgings"]
    marks = " and ".join(str(each["marks"]) for each in judgings)
    covered = listed([100 * each["covered"] / runs for each in judgings], 1)
    strata = listed([100 * each["covered_strata"] / each["strata"] for each in judgings], 1)
    false = sum(each["thresholds_false"] for each in judgings)
    chosen = sum(each["thresholds_chosen"] for each in judgings)
    return [
        (
            f"`benchmarks/judge_coverage.py`; {figures['pairs']} pairs of still lifes, "
            f"{figures['right']} right, the truth as judge, {runs} draws",
            f"95% intervals that cover the true precision, {marks} marks",
            f"{covered}% (of strata: {strata}%)",
        ),
        (
            "",
            "thresholds chosen for precision 0.95 with confidence 0.95 that miss it",
            f"{false} of {chosen}, in {runs * len(judgings)} judgings",
        ),
    ]
