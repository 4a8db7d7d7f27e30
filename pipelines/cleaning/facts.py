"""What is known of every pair of a data set when it is decided, and what was decided, as rows."""

from collections.abc import Iterator
from typing import Any

from pipelines.cleaning.deciding import Decisions, PairFacts
from pipelines.cleaning.grouping import Pictures
from pipelines.cleaning.plan import CleanPlan
from transforms.dataset.clean_schema import CLEAN_NAMES, MEASURED_OF_BOTH, SIDES
from transforms.dataset.rows import Row
from transforms.dataset.tables import ShardedTable, find_shard_file
from transforms.filter_rules import SAID

_FACTS = (
    "key",
    "source_key",
    "source_sha256",
    "target_row",
    "target_key",
    "target_sha256",
    "source_word",
    "target_word",
    *(f"{side}_{name}" for side in SIDES for name in SAID),
)


def light_rows(plan: CleanPlan) -> Iterator[list[Row]]:
    """The rows of the pairs without pictures, a shard at a time.

    Raises:
        DatasetError: a shard cannot be read.
    """
    for shard in plan.parent.shards:
        yield list(ShardedTable([find_shard_file(plan.folder, "pairs", shard)]).rows(_FACTS))


def pair_facts(plan: CleanPlan, pictures: Pictures) -> Iterator[PairFacts]:
    """What is asked of every pair.

    Raises:
        DatasetError: a shard cannot be read.
    """
    for rows in light_rows(plan):
        for row in rows:
            yield PairFacts(
                key=row["key"],
                source=row["source_sha256"],
                target=row["target_sha256"],
                source_group=pictures.group(row["source_sha256"]),
                target_group=pictures.group(row["target_sha256"]),
                exchange=f"{row['source_word']} -> {row['target_word']}".casefold(),
                said=(_said(row, "source"), _said(row, "target")),
            )


def _said(row: Row, side: str) -> dict[str, Any]:
    return {name: row[f"{side}_{name}"] for name in SAID}


def decision_rows(
    plan: CleanPlan, number: int, pictures: Pictures, decisions: Decisions
) -> Iterator[Row]:
    """What was decided of each pair of the parent's shard `number`, in order.

    Raises:
        DatasetError: the shard cannot be read.
    """
    file = find_shard_file(plan.folder, "pairs", plan.parent.shards[number])
    for row in ShardedTable([file]).rows(_FACTS):
        found = dict.fromkeys(CLEAN_NAMES)
        for side in SIDES:
            sha256 = row[f"{side}_sha256"]
            measured = pictures.measured(sha256)
            found[f"{side}_group"] = pictures.group(sha256)
            found |= {f"{side}_{name}": measured.get(name) for name in MEASURED_OF_BOTH}
        width, height = measured.get("width"), measured.get("height")
        found["target_width"] = None if width is None else int(width)
        found["target_height"] = None if height is None else int(height)
        drop = decisions.drops.get(row["key"])
        yield {
            "key": row["key"],
            "source_key": row["source_key"],
            **{
                name: None if drop is None else getattr(drop, name)
                for name in ("stage", "reason", "detail")
            },
            **found,
        }
