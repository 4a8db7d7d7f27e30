"""A cleaned data set with other filters, by what was measured of its pictures when it was cleaned.

All that cleaning decided is decided again: the values, groups and words of every pair that was
there, or was dropped, are in the shards. Nothing is measured and no network is loaded.
"""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pipelines.cleaning.deciding import STAGES, Decisions, PairFacts, decide
from pipelines.cleaning.grouping import Pictures, Values
from pipelines.cleaning.options import CleanOptions
from pipelines.rethreshold.stored_shard import StoredShard, read_shard
from pipelines.terminal.console import EXIT_USAGE, CommandError
from transforms.dataset.clean_card import cleanings
from transforms.dataset.clean_schema import CLEAN_NAMES, MEASURED_OF_BOTH, SIDES
from transforms.dataset.manifest import Manifest
from transforms.dataset.rows import Row
from transforms.dataset.shards import ShardReceipt
from transforms.dataset.tables import find_shard_file
from transforms.filter_rules import MEASURED, SAID, FilterRuleError, read_rules
from transforms.near_copies.rule import NearCopyRule
from transforms.record import Candidate, EditExample, EditQuery, SourceImage, reject_query

QueryKey = tuple[str, int | None]
"""Key of the source and number of the edit; None of the whole picture."""


def read_clean_options(manifest: Manifest, changes: list[str], *, folder: object) -> CleanOptions:
    """The options that a data set was cleaned by, with other filters.

    Raises:
        CommandError: a filter says nothing, or the data set was cleaned more than once or against
            a test set.
    """
    times = cleanings(manifest.configuration)
    if len(times) > 1 or times[0]["against"]:
        # What a filter dropped before was never held against what was asked for later.
        raise CommandError(
            f"{folder} was cleaned {len(times)} times or against a test set: change the filters of "
            "the data set that was cleaned first, and clean the result again",
            exit_code=EXIT_USAGE,
        )
    [said] = times
    try:
        filters = read_rules(changes, said["filters"])
    except FilterRuleError as error:
        raise CommandError(str(error), exit_code=EXIT_USAGE) from error
    return CleanOptions(
        seed=said["seed"],
        # Where a split begins depends on those before it, and JSON has lost their order.
        splits={name: said["splits"][name] for name in said["layout"]} if said["splits"] else {},
        filters=filters,
        caps=said["caps"],
        one_a_group=said["one_a_group"],
        rule=NearCopyRule(**said["rule"]),
    )


@dataclass(frozen=True)
class CleanedShard:
    """One shard of a cleaned data set: its records, and its clean columns by edit."""

    stored: StoredShard
    clean: dict[QueryKey, Row]

    @cached_property
    def dropped(self) -> dict[QueryKey, EditExample]:
        """The pairs that cleaning dropped, as they would be; without masks."""
        queries = {(each.source.key, each.number): each for each in self.stored.queries}
        found: dict[QueryKey, EditExample] = {}
        for reject in self.stored.rejects:
            if reject.stage in STAGES:
                assert reject.number is not None
                query = queries[reject.key, reject.number]
                target = next(each for each in query.candidates if each.key == reject.target_key)
                found[reject.key, reject.number] = EditExample(query=query, target=target)
        return found

    def examples(self) -> Iterator[EditExample]:
        """Every pair that is there or was dropped."""
        yield from self.stored.examples.values()
        yield from self.dropped.values()

    def clean_columns(self, example: EditExample) -> Row:
        """What cleaning said of a pair."""
        return self.clean[example.query.source.key, example.query.number]


def read_cleaned(folder: Any, receipt: ShardReceipt) -> CleanedShard:
    """The shard of the cleaned data set in `folder` that `receipt` is of.

    Raises:
        DatasetError: one of its files cannot be read.
    """
    clean: dict[QueryKey, Row] = {}
    for kind, key in (("pairs", "source_key"), ("rejects", "key")):
        table = find_shard_file(folder, kind, receipt).read([key, "number", *CLEAN_NAMES])
        for row in table.to_pylist():
            clean[row[key], row["number"]] = {name: row[name] for name in CLEAN_NAMES}
    return CleanedShard(read_shard(folder, receipt), clean)


def decide_again(folder: Any, manifest: Manifest, options: CleanOptions) -> Decisions:
    """What becomes of every pair of all shards.

    Raises:
        DatasetError: a shard cannot be read.
        CommandError: a filter is about something that was not measured.
    """
    facts: list[PairFacts] = []
    pictures = Pictures()
    for receipt in manifest.shards:
        shard = read_cleaned(folder, receipt)
        for example in shard.examples():
            columns = shard.clean_columns(example)
            facts.append(_facts(example, columns))
            _add_pictures(pictures, example, columns)
    for name in sorted(set(options.filters) & {*MEASURED_OF_BOTH, "width", "height", "aspect"}):
        if pictures.values and all(values.get(name) is None for values in pictures.values):
            raise CommandError(
                f"{name} was not measured when {folder} was cleaned: "
                f"use `pairloom clean --filter {name}=...` on the data set it was made of",
                exit_code=EXIT_USAGE,
            )
    return decide(facts, pictures, options)


def _facts(example: EditExample, columns: Row) -> PairFacts:
    query, target = example.query, example.target
    return PairFacts(
        key=example.key,
        source=query.source.content_sha256,
        target=target.content_sha256,
        source_group=columns["source_group"],
        target_group=columns["target_group"],
        exchange=f"{query.source_word} -> {query.target_word}".casefold(),
        said=(_said(query.source), _said(target)),
    )


def _said(picture: SourceImage | Candidate) -> dict[str, Any]:
    return {name: getattr(picture, name) for name in SAID}


def _add_pictures(pictures: Pictures, example: EditExample, columns: Row) -> None:
    """Adds what was measured of the two pictures of a pair."""
    sizes = {
        "source": (example.query.source.width, example.query.source.height),
        "target": (columns["target_width"], columns["target_height"]),
    }
    hashes = (example.query.source.content_sha256, example.target.content_sha256)
    for side, sha256 in zip(SIDES, hashes, strict=True):
        if sha256 in pictures.rows:
            continue
        width, height = sizes[side]
        values: Values = dict.fromkeys(MEASURED)
        values |= {name: columns[f"{side}_{name}"] for name in MEASURED_OF_BOTH}
        if columns["target_width"] is not None:
            sides = sorted((width, height))
            values |= {"width": width, "height": height, "aspect": sides[1] / sides[0]}
        pictures.rows[sha256] = len(pictures.values)
        pictures.values.append(values)


def choose_cleaned(
    shard: CleanedShard, decisions: Decisions
) -> tuple[list[EditExample], list[tuple[Any, Row]]]:
    """The pairs of a shard that stay or come back, and all its rejects with their clean columns."""
    kept: list[EditExample] = []
    empty: Row = dict.fromkeys(CLEAN_NAMES)
    decided = {(each.query.source.key, each.query.number) for each in shard.examples()}
    rejects: list[tuple[Any, Row]] = [
        (reject, shard.clean.get((reject.key, reject.number), empty))
        for reject in shard.stored.rejects
        if reject.number is None or (reject.key, reject.number) not in decided
    ]
    for example in shard.examples():
        drop = decisions.drops.get(example.key)
        if drop is None:
            kept.append(example)
        else:
            rejects.append((_dropped(example.query, drop, example), shard.clean_columns(example)))
    return kept, rejects


def _dropped(query: EditQuery, drop: Any, example: EditExample) -> Any:
    return reject_query(query, candidate=example.target, **dataclasses.asdict(drop))
