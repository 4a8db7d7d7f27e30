"""What becomes of every pair: it stays, in which split, or is dropped, by which rule.

All of it is a function of the pairs, their groups and the options: not of an order, nor of workers.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial

from pipelines.cleaning.grouping import Pictures, Values
from pipelines.cleaning.options import CleanOptions
from transforms.filter_rules import FilterRule, Value, find_fault

FILTER, DECONTAMINATE, DEDUPLICATE, SPLIT, BALANCE = STAGES = (
    "filter",
    "decontaminate",
    "deduplicate",
    "split",
    "balance",
)
"""The stages that drop pairs of a data set, in their order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairFacts:
    """What is asked of a pair: its key, its two pictures by content and group, and its words.

    `said` are what the sources say of the two pictures. A group is None where none was made.
    """

    key: str
    source: str
    target: str
    source_group: str | None
    target_group: str | None
    exchange: str
    said: tuple[Mapping[str, Value], Mapping[str, Value]] = ({}, {})


@dataclass(frozen=True, slots=True)
class Drop:
    """Why a pair is dropped: the stage, the reason to count by, and the value and the rule."""

    stage: str
    reason: str
    detail: str


@dataclass(frozen=True)
class Decisions:
    """The pairs that are dropped, by key, and how many came to each stage that was asked for."""

    drops: dict[str, Drop]
    before: dict[str, int]


def decide(pairs: Iterable[PairFacts], pictures: Pictures, options: CleanOptions) -> Decisions:
    """Goes through the stages that `options` ask for; a stage sees what those before let through.

    Pairs with a picture in a group of `pictures.tests` are dropped wherever there are some.
    """
    left = sorted(pairs, key=lambda pair: pair.key)
    drops: dict[str, Drop] = {}
    before: dict[str, int] = {}
    stages: list[tuple[str, Callable[[list[PairFacts]], dict[str, Drop]]]] = []
    if options.filters:
        stages.append((FILTER, partial(filter_pairs, pictures=pictures, rules=options.filters)))
    if pictures.tests:
        stages.append((DECONTAMINATE, partial(drop_tested, tests=pictures.tests)))
    if options.one_a_group:
        stages.append((DEDUPLICATE, drop_copies))
    if options.splits:
        stages.append((SPLIT, partial(drop_crossing, options=options)))
    if options.caps:
        stages.append((BALANCE, partial(cap_pairs, caps=options.caps, seed=options.seed)))
    for stage, find in stages:
        before[stage] = len(left)
        found = find(left)
        drops |= found
        left = [pair for pair in left if pair.key not in found]
    return Decisions(drops, before)


def filter_pairs(
    pairs: Iterable[PairFacts], pictures: Pictures, rules: Mapping[str, FilterRule]
) -> dict[str, Drop]:
    """The pairs one of whose pictures breaks a rule; the source is looked at first."""
    drops: dict[str, Drop] = {}
    for pair in pairs:
        for side, sha256, said in zip(
            ("source", "target"), (pair.source, pair.target), pair.said, strict=True
        ):
            fault = find_fault({**said, **_known(pictures.measured(sha256))}, rules)
            if fault is not None:
                drops[pair.key] = Drop(FILTER, fault[0], f"{side}: {fault[1]}")
                break
    return drops


def _known(values: Values) -> dict[str, Value]:
    return {name: value for name, value in values.items() if value is not None}


def drop_tested(pairs: Iterable[PairFacts], tests: Mapping[str, str]) -> dict[str, Drop]:
    """The pairs one of whose pictures is a near-copy of a test picture.

    `tests` are the keys of test pictures by group.
    """
    drops: dict[str, Drop] = {}
    for pair in pairs:
        for side, group in (("source", pair.source_group), ("target", pair.target_group)):
            if group is not None and group in tests:
                detail = f"the {side} is a near-copy of the test picture {tests[group]}"
                drops[pair.key] = Drop(DECONTAMINATE, f"{side}_in_test", detail)
                break
    return drops


def drop_copies(pairs: Iterable[PairFacts]) -> dict[str, Drop]:
    """The pairs with a picture whose group is represented by another one.

    Of each group the picture that is in the most pairs stays, of several the one of least hash.
    """
    pairs = list(pairs)
    used: dict[str, Counter[str]] = defaultdict(Counter)
    for pair in pairs:
        for group, sha256 in _pictures(pair):
            used[group][sha256] += 1
    kept = {group: _most_used(counts) for group, counts in used.items()}
    drops: dict[str, Drop] = {}
    for pair in pairs:
        for side, (group, sha256) in zip(("source", "target"), _pictures(pair), strict=True):
            if kept[group] != sha256:
                detail = f"the {side} is a near-copy of {kept[group][:16]}, which stays"
                drops[pair.key] = Drop(DEDUPLICATE, f"{side}_copy", detail)
                break
    return drops


def _most_used(counts: Mapping[str, int]) -> str:
    return min(counts, key=lambda sha256: (-counts[sha256], sha256))


def _pictures(pair: PairFacts) -> tuple[tuple[str, str], tuple[str, str]]:
    """Group and content of both pictures; without groups a picture is its own."""
    return (
        (pair.source_group or pair.source, pair.source),
        (pair.target_group or pair.target, pair.target),
    )


def split_of(group: str, splits: Mapping[str, float], seed: int) -> str:
    """The split that a group falls into: by `seed` and its name alone.

    So a group stays where it is when other pictures come or go.

    >>> split_of("00c0ffee00c0ffee", {"train": 0.9, "test": 0.1}, seed=0)
    'train'
    """
    place, end = share_of(f"split:{seed}:{group}"), 0.0
    for name, share in splits.items():
        end += share
        if place < end:
            return name
    return list(splits)[-1]  # rounding


def share_of(text: str) -> float:
    """A number in [0, 1) drawn by `text`."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:7], "big") / 2.0**56


def drop_crossing(pairs: Iterable[PairFacts], options: CleanOptions) -> dict[str, Drop]:
    """The pairs whose two pictures fall into different splits."""
    drops: dict[str, Drop] = {}
    for pair in pairs:
        (source, _), (target, _) = _pictures(pair)
        here, there = (split_of(each, options.splits, options.seed) for each in (source, target))
        if here != there:
            detail = f"the source is in {here} and the target in {there}"
            drops[pair.key] = Drop(SPLIT, "crosses_splits", detail)
    return drops


def cap_pairs(pairs: Iterable[PairFacts], caps: Mapping[str, int], seed: int) -> dict[str, Drop]:
    """The pairs beyond a cap.

    Pairs are taken in an order that `seed` and their keys draw; one for which a cap leaves no room
    is dropped and takes none of the others.
    """
    drops: dict[str, Drop] = {}
    taken: Counter[tuple[str, str]] = Counter()
    for pair in sorted(pairs, key=lambda pair: (share_of(f"cap:{seed}:{pair.key}"), pair.key)):
        counted = [each for each in _counted(pair) if each[0] in caps]
        full = next((each for each in counted if taken[each] >= caps[each[0]]), None)
        if full is None:
            taken.update(counted)
        else:
            name, what = full
            shown = what[:16] if name in ("source", "target") else what
            detail = f"at most {caps[name]} pairs of one {name}, {shown} has them"
            drops[pair.key] = Drop(BALANCE, f"{name}_cap", detail)
    return drops


def _counted(pair: PairFacts) -> list[tuple[str, str]]:
    """Under what a pair is counted; a group once, where both pictures are of it."""
    (source, _), (target, _) = _pictures(pair)
    return [
        ("exchange", pair.exchange),
        ("target", pair.target),
        ("source", pair.source),
        *(("group", group) for group in sorted({source, target})),
    ]
