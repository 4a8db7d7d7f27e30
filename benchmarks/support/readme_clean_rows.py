"""The rows of the README's table on clean data sets."""

from support.readme_words import Row, seeds_of
from support.results import Results


def near_duplicates(results: Results) -> list[Row]:
    """How well groups of near-copies are found."""
    [result] = results.all("near_duplicates")
    figures = result.figures
    found = [figures["families"][name] for name in ("recompressed", "cropped 5 %", "resized")]
    recalls = ", ".join(f"{100 * each['recall']:.1f}%" for each in found)
    precisions = ", ".join(f"{100 * each['precision']['share']:.1f}%" for each in found)
    return [
        (
            f"`benchmarks/near_duplicates.py --seed N`, {seeds_of([result])}",
            f"groups of near-copies among {figures['pictures']} still lifes, of which "
            f"{figures['copies']} are copies of {figures['kinds']} kinds: recompressed, cropped by "
            "about 5 %, resized ones",
            f"{recalls} of the copies found; {precisions} of the pairs in a group right "
            "([docs/clean_sets.md](docs/clean_sets.md))",
        )
    ]
