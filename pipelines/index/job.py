"""Indexing: every picture of a source captioned, embedded and put into an index folder.

Read -> Caption -> Embed -> one part a source shard; then FAISS over all parts.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import apache_beam as beam

from indexes.layout import Part, fingerprint
from indexes.life_cycle import begin_index, finish_index, read_manifest
from indexes.parts import read_part
from pipelines.running.execution import Execution, group_units, run_on_this_machine
from pipelines.running.runners import StageSeconds, run_elsewhere, run_here
from transforms.caption import Caption, TakeSourceCaptions
from transforms.embed import EmbedImages
from transforms.models.loading import LoadCaptioner, LoadEncoder
from transforms.models.spec import identity
from transforms.presets import Preset
from transforms.protocols import Source, SourceShard
from transforms.read import Read, plan_batches
from transforms.write_index import IndexShard, WriteIndexParts


@dataclass(frozen=True, kw_only=True)
class IndexPlan:
    """All that decides an index: `captions` is `model`, or `source` to keep the source's own."""

    source: Source
    preset: Preset
    folder: str
    captions: str = "model"
    batch_size: int = 32
    seed: int = 0

    def __post_init__(self) -> None:
        if self.captions not in ("model", "source"):
            raise ValueError(f"captions must be model or source, got {self.captions!r}")

    def description(self) -> dict[str, object]:
        """What the index folder says of itself, and must go on saying to be resumed."""
        return {
            "encoder": identity(self.preset.encoder),
            "captioner": captioner_identity(self.preset, self.captions),
            "preset": self.preset.name,
            "source": self.source.describe(),
            "batch_size": self.batch_size,
            "seed": self.seed,
        }


@dataclass(frozen=True)
class IndexUnit:
    """Some shards to index in one pipeline."""

    shards: tuple[tuple[IndexShard, SourceShard], ...]

    @property
    def pictures(self) -> int:
        """How many pictures they hold."""
        return sum(shard.stop - shard.start for _, shard in self.shards)


@dataclass(frozen=True, kw_only=True)
class IndexSummary:
    """What a run did: pictures read and indexed, rejects by `stage: reason`, seconds by stage."""

    folder: str
    sources: int
    indexed: int
    rejects: dict[str, int]
    parts: int
    parts_skipped: int
    seconds: dict[str, float] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """The summary as plain data, for `--json`."""
        return {
            "index": self.folder,
            "sources": self.sources,
            "indexed": self.indexed,
            "rejects": self.rejects,
            "parts": self.parts,
            "parts_skipped": self.parts_skipped,
            "seconds": self.seconds,
        }


def captioner_identity(preset: Preset, captions: str) -> str:
    """What made the captions: the captioner, or the word `source`."""
    return "source" if captions == "source" else identity(preset.captioner)


def index_graph(pipeline: beam.Pipeline, unit: IndexUnit, plan: IndexPlan, mark: str) -> None:
    """Wires the stages for the shards of `unit`; `mark` is the description's fingerprint."""
    spans = [span for _, shard in unit.shards for span in plan_batches(shard, plan.batch_size)]
    pictures = (
        pipeline
        | "Spans" >> beam.Create(spans)
        | "Spread" >> beam.Reshuffle()
        | "Read" >> Read(plan.source)
    )
    if plan.captions == "source":
        captioned = pictures | "Caption" >> TakeSourceCaptions()
    else:
        captioned = pictures | "Caption" >> Caption(LoadCaptioner(plan.preset.captioner))
    embedded = captioned | "Embed" >> EmbedImages(LoadEncoder(plan.preset.encoder))
    shards = [shard for shard, _ in unit.shards]
    _ = embedded | "Write" >> WriteIndexParts(plan.folder, shards, mark)


def run_index_unit(unit: IndexUnit, plan: IndexPlan, mark: str) -> tuple[int, StageSeconds]:
    """Indexes the shards of `unit` in this process; how many pictures they held, and how long."""
    seconds = run_here(partial(index_graph, unit=unit, plan=plan, mark=mark))
    return unit.pictures, seconds


def run_index(plan: IndexPlan, execution: Execution) -> IndexSummary:
    """Makes the index, or what is still missing of it.

    Raises:
        SourceError, IndexFolderError, ModelError, OutputError, CommandError: in one line each.
    """
    folder = Path(plan.folder)
    description = plan.description()
    mark = fingerprint(description)
    shards = plan.source.shards()
    state = begin_index(folder, description)
    total = len(shards)
    waiting = [
        (IndexShard(number, total, shard.name), shard)
        for number, shard in enumerate(shards)
        if read_part(folder, Part(number, total), fingerprint=mark) is None
    ]
    seconds = StageSeconds({})
    if waiting:
        seconds = _index_shards(waiting, plan, mark, execution)
    if waiting or state != "finished":
        manifest = finish_index(folder, parts=total, seed=plan.seed)
    else:
        manifest = read_manifest(folder)
    counts = read_counts(manifest)
    sources, indexed = counts.pop("sources", 0), counts.pop("indexed", 0)
    return IndexSummary(
        folder=plan.folder,
        sources=sources,
        indexed=indexed,
        rejects=counts,
        parts=total,
        parts_skipped=total - len(waiting),
        seconds=seconds.seconds,
    )


def read_counts(manifest: Mapping[str, object]) -> dict[str, int]:
    """What became of all pictures, by name, as the index folder keeps it."""
    counts = manifest["counts"]
    assert isinstance(counts, dict)
    return dict(sorted(counts.items()))


def _index_shards(
    waiting: list[tuple[IndexShard, SourceShard]],
    plan: IndexPlan,
    mark: str,
    execution: Execution,
) -> StageSeconds:
    if execution.beam_flags:
        whole = IndexUnit(tuple(waiting))
        graph = partial(index_graph, unit=whole, plan=plan, mark=mark)
        return run_elsewhere(graph, execution.beam_flags)
    groups = group_units(
        waiting,
        size=lambda each: each[1].stop - each[1].start,
        least=execution.pictures_a_unit,
    )
    units = [IndexUnit(tuple(group)) for group in groups]
    work = partial(run_index_unit, plan=plan, mark=mark)
    return run_on_this_machine("indexing", work, units, workers=execution.workers)
