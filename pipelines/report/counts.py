"""Counting what is in a data set: rejects by stage, edits by kind and by words, mask areas."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from pipelines.report.dataset import FinishedDataset

STAGES = (
    *("read", "caption", "rewrite", "embed", "retrieve", "mine", "select", "segment", "write"),
    *("filter", "decontaminate", "deduplicate", "split", "balance"),
)
AREA_BINS = 40

Histogram = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Exchange:
    """One word exchanged for another: the two words, how they are related and what they are."""

    source_word: str
    target_word: str
    relation: str
    part_of_speech: str


@dataclass
class MaskCounts:
    """The areas of one side's masks: a histogram over [0, 1], and how many are empty or absent."""

    areas: Histogram = field(default_factory=lambda: np.zeros(AREA_BINS, np.int64))
    empty: int = 0
    not_computed: int = 0

    def add(self, area: float | None) -> None:
        """Count one mask; an empty one is counted apart from the histogram."""
        if area is None:
            self.not_computed += 1
        elif area == 0:
            self.empty += 1
        else:
            self.areas[min(AREA_BINS - 1, int(area * AREA_BINS))] += 1

    @property
    def total(self) -> int:
        """All masks that were computed, empty ones too."""
        return int(self.areas.sum()) + self.empty


@dataclass
class PairCounts:
    """What the pairs are, counted."""

    pairs: int = 0
    exchanges: Counter[Exchange] = field(default_factory=Counter)
    methods: Counter[str] = field(default_factory=Counter)
    source_masks: MaskCounts = field(default_factory=MaskCounts)
    target_masks: MaskCounts = field(default_factory=MaskCounts)

    def kinds(self) -> Counter[tuple[str, str]]:
        """Pairs by (part of speech, relation)."""
        counts: Counter[tuple[str, str]] = Counter()
        for exchange, count in self.exchanges.items():
            counts[exchange.part_of_speech, exchange.relation] += count
        return counts


def count_pairs(dataset: FinishedDataset) -> PairCounts:
    """Count the pairs of `dataset`; memory grows with the number of different exchanges alone."""
    found = PairCounts()
    words = ("source_word", "target_word", "relation", "part_of_speech")
    columns = (*words, "method", "source_mask_area", "target_mask_area")
    for _, table in dataset.pairs.batches(columns):
        found.pairs += len(table["method"])
        found.exchanges.update(
            Exchange(*row) for row in zip(*(table[name] for name in words), strict=True)
        )
        found.methods.update(table["method"])
        for area in table["source_mask_area"]:
            found.source_masks.add(area)
        for area in table["target_mask_area"]:
            found.target_masks.add(area)
    return found


@dataclass(frozen=True)
class Step:
    """One stage of the funnel: how many came in, and how many it turned away, by reason."""

    stage: str
    came: int
    reasons: Mapping[str, int]

    @property
    def rejected(self) -> int:
        """All it turned away."""
        return sum(self.reasons.values())

    @property
    def went(self) -> int:
        """All it let through."""
        return self.came - self.rejected


@dataclass(frozen=True)
class Funnel:
    """The way from pictures to pairs: first whole pictures are lost, then single edits of them.

    One picture can have several edits, so the two are counted apart. `sources` is what the manifest
    says was read, and `queries` what was proposed; `pairs` and all rejects are counted in the
    shards. `problems` has one line for each sum that does not come out.
    """

    sources: int
    queries: int
    pairs: int
    sources_with_pairs: int
    picture_steps: tuple[Step, ...]
    edit_steps: tuple[Step, ...]
    problems: tuple[str, ...]


def count_rejects(dataset: FinishedDataset) -> tuple[dict[str, Counter[str]], ...]:
    """Rejects by stage and reason: those of whole pictures, and those of single edits."""
    pictures: dict[str, Counter[str]] = {}
    edits: dict[str, Counter[str]] = {}
    for _, table in dataset.rejects.batches(("stage", "reason", "number")):
        rows = zip(table["stage"], table["reason"], table["number"], strict=True)
        for stage, reason, number in rows:
            unit = pictures if number is None else edits
            unit.setdefault(stage, Counter())[reason] += 1
    return pictures, edits


def build_funnel(dataset: FinishedDataset, pairs: int) -> Funnel:
    """The funnel of `dataset`, in whose shards `pairs` pairs were counted."""
    pictures, edits = count_rejects(dataset)
    counts = dataset.manifest.counts
    held = {
        "pairs": pairs,
        "source_rejects": sum(reasons.total() for reasons in pictures.values()),
        "query_rejects": sum(reasons.total() for reasons in edits.values()),
    }
    held["queries"] = held["pairs"] + held["query_rejects"]
    contradictions = [
        f"the manifest counts {getattr(counts, name)} {name.replace('_', ' ')}, "
        f"the shards hold {number}"
        for name, number in held.items()
        if getattr(counts, name) != number
    ]
    return Funnel(
        sources=counts.sources,
        queries=counts.queries,
        pairs=pairs,
        sources_with_pairs=counts.sources_with_pairs,
        picture_steps=chain_steps(counts.sources, pictures),
        edit_steps=chain_steps(counts.queries, edits),
        problems=(*counts.problems(), *contradictions),
    )


def chain_steps(came: int, rejects: Mapping[str, Counter[str]]) -> tuple[Step, ...]:
    """The stages that turned something away, in the order of the graph, each fed by the last."""
    order = {stage: place for place, stage in enumerate(STAGES)}
    steps = []
    for stage in sorted(rejects, key=lambda name: (order.get(name, len(order)), name)):
        reasons = dict(sorted(rejects[stage].items(), key=lambda item: (-item[1], item[0])))
        steps.append(Step(stage, came, reasons))
        came = steps[-1].went
    return tuple(steps)
