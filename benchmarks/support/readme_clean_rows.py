"""The rows of the README's table on clean data sets."""

from support.readme_words import Row, listed, seeds_of
from support.results import Results


def near_duplicates(results: Results) -> list[Row]:
    """How well groups of near-copies are found."""
    found = results.all("near_duplicates")
    families = ("recompressed", "cropped 5 %", "resized")
    told = [[each.figures["families"][name] for each in found] for name in families]
    recalls = "; ".join(listed([each["recall"] for each in seeds], 3) for seeds in told)
    shares = "; ".join(listed([each["precision"]["share"] for each in seeds], 3) for seeds in told)
    figures = found[0].figures
    return [
        (
            f"`benchmarks/near_duplicates.py --seed N`, {seeds_of(found)}",
            f"groups of near-copies among {figures['pictures']} still lifes, of which "
            f"{figures['copies']} are copies of {figures['kinds']} kinds: recall of recompressed; "
            "cropped; resized ones; precision likewise",
            f"{recalls}; {shares} ([docs/clean_sets.md](docs/clean_sets.md))",
        )
    ]
