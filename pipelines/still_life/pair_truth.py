"""The truth about a data set of still lifes, for the report: judged pair by pair from the keys."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipelines.truth import Accuracy, TruthReport, Verdict
from stilllife import truth
from transforms.dataset.reader import open_pairs

KINDS = ("count", "noun", "colour", "size", "side", "background")
JUDGED_COLUMNS = ("source_key", "target_key", "caption", "edit_prompt", "target_word")
NOTE = (
    "Right means: the caption is what is truly in the source, the edit prompt is what is truly in "
    "the target, and the two differ in the edited attribute alone. The renderer knows; no stage "
    "of the pipeline is told."
)


def judge_still_lifes(folder: Path) -> TruthReport | None:
    """What is true of the pairs in `folder`; None unless all of them are pairs of still lifes.

    Raises:
        DatasetError: the data set cannot be read.
    """
    pairs = open_pairs(folder)
    if {pairs.manifest.source.get("kind"), pairs.manifest.pool.get("kind")} != {"still-life"}:
        return None
    rows = list(pairs.table.rows(("key", *JUDGED_COLUMNS)))
    if not all(
        truth.is_still_life(row[name]) for row in rows for name in ("source_key", "target_key")
    ):
        return None
    verdicts, positions = {}, []
    right_by_kind: Counter[str] = Counter()
    total_by_kind: Counter[str] = Counter()
    for row in rows:
        verdict = judge_row(row)
        verdicts[row["key"]] = Verdict(verdict.right, verdict.wrong)
        if verdict.right and verdict.position_px is not None:
            positions.append(verdict.position_px)
        for kind, same in _attributes_right(row["edit_prompt"], row["target_key"]).items():
            total_by_kind[kind] += 1
            right_by_kind[kind] += same
    right = sum(verdict.right for verdict in verdicts.values())
    return TruthReport(
        pairs=Accuracy(right, len(verdicts)),
        attributes={
            kind: Accuracy(right_by_kind[kind], total_by_kind[kind])
            for kind in KINDS
            if total_by_kind[kind]
        },
        position_errors_px=positions,
        verdicts=verdicts,
        note=NOTE,
    )


def judge_row(row: Mapping[str, Any]) -> truth.PairTruth:
    """The truth about one row of the pairs; it needs `JUDGED_COLUMNS`."""
    return truth.judge_pair(
        row["source_key"],
        row["target_key"],
        caption=row["caption"],
        edit_prompt=row["edit_prompt"],
        target_word=row["target_word"],
    )


def _attributes_right(edit_prompt: str, target_key: str) -> dict[str, bool]:
    """For each kind of attribute that the prompt names, whether the target truly has it."""
    wanted = truth.read_caption(edit_prompt)
    if wanted is None:
        return {}
    true = truth.truth_of(target_key).attributes()
    kinds: dict[str, bool] = {}
    for name, value in wanted.items():
        kind = name.rpartition(".")[2]
        kinds[kind] = kinds.get(kind, True) and true.get(name) == value
    return kinds
