"""What is true of each pair of a data set of still lifes, and why a wrong one is wrong."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.still_life.pair_truth import JUDGED_COLUMNS, judge_row
from stilllife.truth import read_caption, truth_of
from transforms.dataset.reader import open_pairs

COLUMNS = (
    *JUDGED_COLUMNS,
    "target_caption",
    "score_source_confidence",
    "score_target_confidence",
)


@dataclass(frozen=True, kw_only=True)
class JudgedPair:
    """One pair and the truth about it; `cause` is empty for a right one.

    `attribute` is the kind of attribute that was edited, `position_px` the mean distance of the
    objects in pixels where both pictures have as many, the confidences are the two captions'.
    """

    right: bool
    cause: str
    attribute: str
    position_px: float | None
    source_confidence: float | None
    target_confidence: float | None


def judge_folder(folder: Path) -> list[JudgedPair]:
    """All pairs of the data set in `folder`, judged."""
    return [judge(row) for row in open_pairs(folder).table.rows(COLUMNS)]


def judge(row: Mapping[str, Any]) -> JudgedPair:
    """One row of the pairs, judged; it needs `COLUMNS`."""
    verdict = judge_row(row)
    return JudgedPair(
        right=verdict.right,
        cause="" if verdict.right else name_cause(row),
        attribute=verdict.attribute,
        position_px=verdict.position_px,
        source_confidence=row["score_source_confidence"],
        target_confidence=row["score_target_confidence"],
    )


def name_cause(row: Mapping[str, Any]) -> str:
    """Why a wrong pair is wrong: which caption is untrue in what, or which stage let it through."""
    faults = [
        f"{side} caption untrue: {untrue}"
        for side, key, caption in (
            ("source", "source_key", "caption"),
            ("target", "target_key", "target_caption"),
        )
        if (untrue := untrue_in(row[caption], row[key]))
    ]
    if faults:
        return " and ".join(faults)
    if row["target_caption"] != row["edit_prompt"]:
        return f"selected, but other in {_other(row)}"
    return "the edit changes more than one attribute"


def untrue_in(caption: str, key: str) -> str:
    """The attributes in which `caption` errs about the picture `key`; empty where it is true."""
    true = truth_of(key)
    if caption == true.caption():
        return ""
    said, attributes = read_caption(caption), true.attributes()
    if said is None:
        return "no such sentence"
    if said["count"] != attributes["count"]:
        return "count"
    return _in_words([name for name in said if said[name] != attributes[name]])


def _other(row: Mapping[str, Any]) -> str:
    """In what the target's caption and the edit prompt differ."""
    wanted, found = read_caption(row["edit_prompt"]), read_caption(row["target_caption"])
    if wanted is None or found is None:
        return "its kind of sentence"
    names = [n for n in wanted.keys() | found.keys() if wanted.get(n) != found.get(n)]
    return "count" if "count" in names else _in_words(names)


def _in_words(names: Sequence[str]) -> str:
    return " and ".join(sorted(names)) if len(names) < 3 else f"{len(names)} attributes"
