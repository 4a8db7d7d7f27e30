"""Which pairs of a data set an evaluation edits, and what each of them asks for."""

from collections import Counter
from collections.abc import Sequence
from operator import itemgetter
from pathlib import Path

import numpy as np

from editing.evaluation.cases import EditCase
from pipelines.terminal.console import CommandError
from transforms.dataset.clean_schema import choose_split
from transforms.dataset.reader import Pair, PairsDataset, open_pairs
from transforms.dataset.schema import PAIRS

EDITS_SHOWN = 16
"""Edits that the page of an evaluation shows."""


def draw_cases(folder: Path, *, count: int, seed: int, balanced: bool = False) -> list[EditCase]:
    """`count` pairs of a data set, drawn by `seed`, in the order of the data set; all if fewer.

    With `balanced` every target word has as many as every other, as far as there are so many.

    Raises:
        CommandError: there are none.
        DatasetError: the data set cannot be read, or a pair has no mask.
    """
    pairs = open_pairs(folder)
    split = choose_split(pairs.manifest.configuration, "test")
    if split is not None:
        pairs = open_pairs(folder, split)
    if not pairs:
        raise CommandError(f"{folder}: the data set has no pairs to evaluate on")
    order = np.random.default_rng(seed).permutation(len(pairs)).tolist()
    if balanced:
        order = take_turns(order, _target_words(pairs))
    drawn = pairs.table.rows(PAIRS.names, positions=sorted(order[:count]))
    return [make_case(Pair.from_row(row, pairs.limits)) for row in drawn]


def shown_places(total: int) -> list[int]:
    """Which of `total` cases the page shows."""
    return spread_evenly(total, EDITS_SHOWN)


def spread_evenly(total: int, count: int) -> list[int]:
    """`count` of the places from 0 to `total` - 1, first and last among them; all if fewer."""
    return sorted({round(i * (total - 1) / max(1, count - 1)) for i in range(count)})


def take_turns(order: Sequence[int], groups: Sequence[str]) -> list[int]:
    """`order` so that each group has its first member, then each its second, and so on.

    `groups` names the group of each member; within a group the order stays.
    """
    seen: Counter[str] = Counter()
    turns = []
    for member in order:
        turns.append(seen[groups[member]])
        seen[groups[member]] += 1
    return [member for _, member in sorted(zip(turns, order, strict=True), key=itemgetter(0))]


def _target_words(pairs: PairsDataset) -> list[str]:
    batches = pairs.table.batches(["target_word"])
    return [word for _, columns in batches for word in columns["target_word"]]


def make_case(pair: Pair) -> EditCase:
    """The edit that a pair asks for.

    Raises:
        DatasetError: its masks were not computed, or a picture or mask cannot be decoded.
    """
    return EditCase(
        key=pair.key,
        source_key=pair.source_key,
        source=pair.source_image,
        target=pair.pseudo_target_image,
        caption=pair.caption,
        edit_prompt=pair.edit_prompt,
        source_phrase=pair.source_phrase,
        target_phrase=pair.target_phrase,
        edit_mask=pair.source_mask,
    )
