"""The rows of the table of editors: what each is trained on, and with which flags."""

from dataclasses import dataclass

from editing.registry import BASELINE

MASKED, REAL, OURS = "+M", "real", "ours"
IEDIT: tuple[str, ...] = ()
NO_MASK = ("--weight-mask", "0", "--weight-paired", "1")


@dataclass(frozen=True)
class Row:
    """A row: its training pairs (None for no training), and the flags of `train`.

    A `headline` row is evaluated at all strengths and seeds.
    """

    pairs: str | None
    flags: tuple[str, ...] = IEDIT
    headline: bool = False


ROWS = {
    REAL: Row(None),
    BASELINE: Row(None, headline=True),
    "caption": Row(
        "mean", (*NO_MASK, "--weight-loc", "0", "--weight-perc", "0", "--prompts", "target")
    ),
    "edit": Row("selected", (*NO_MASK, "--weight-perc", "0")),
    "perc": Row("selected", NO_MASK),
    "mask": Row("selected"),
    "mean": Row("mean"),
    "quality": Row("selected", ("--quality", "structure")),
    "union": Row("selected", ("--mask-combine", "union")),
    "align": Row("selected", ("--align",)),
    OURS: Row(
        "selected",
        (
            *("--align", "--snr-cap", "1", "--empty-share", "0.15"),
            *("--weight-loc", "0.5", "--weight-global", "0.5", "--weight-perc", "0.05"),
        ),
        headline=True,
    ),
}
BUILDS = {
    "selected": ("--edits", "2"),
    "mean": ("--query", "mean", "--candidates", "search", "--attempts", "1", "--no-selection"),
}


def editors_of(row: str) -> dict[str, str]:
    """What is evaluated for a row, and what each is called in the table."""
    if row == REAL:
        return {"copy": "source", "retrieve": "pseudo-target"}
    return {"iedit": row, "iedit-m": row + MASKED}
