"""Building: pairs from a source and an index.

    Read -> Caption -> Rewrite -> Embed -> Retrieve -> Select -> Segment -> Write -> manifest

Every source shard becomes one output shard. On one machine a few shards make a pipeline, so that
memory is bounded, progress is shown, and a rerun goes on where the last one was interrupted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import apache_beam as beam

from indexes.folder import PictureIndex, open_index
from pipelines.build.plan import BuildPlan
from pipelines.running.execution import (
    PICTURES_A_JOIN,
    Execution,
    group_units,
    run_on_this_machine,
)
from pipelines.running.runners import StageSeconds, run_elsewhere, run_here
from transforms.caption import Caption, KnownCaptions, TakeSourceCaptions
from transforms.dataset.files import OutputError
from transforms.dataset.folder import (
    is_completed,
    prepare_output,
    write_manifest,
    write_run_summary,
)
from transforms.dataset.manifest import Manifest, load_manifest, software_versions
from transforms.dataset.shards import Counts, OutputShard, ShardReceipt, whole_shard
from transforms.embed import EmbedQueries
from transforms.mine import Mine
from transforms.models.loading import LoadCaptioner, LoadEncoder, LoadSegmenter
from transforms.protocols import SourceShard
from transforms.read import Read, plan_batches
from transforms.retrieve import Retrieve
from transforms.rewrite import Rewrite
from transforms.segment import Segment
from transforms.select import Select
from transforms.words.caption_pairs import MineOptions
from transforms.words.relations import LexiconRelations, TaggedPhrase
from transforms.write import Write


@dataclass(frozen=True)
class BuildUnit:
    """Some shards to build in one pipeline."""

    shards: tuple[tuple[OutputShard, SourceShard], ...]

    @property
    def pictures(self) -> int:
        """How many pictures they hold."""
        return sum(shard.stop - shard.start for _, shard in self.shards)


@dataclass(frozen=True, kw_only=True)
class BuildSummary:
    """What a build came to: the data set's counts, and what this run did and how long it took."""

    folder: str
    counts: Counts
    shards: int
    shards_skipped: int
    seconds: dict[str, float]

    def as_dict(self) -> dict[str, Any]:
        """The summary as plain data, for `--json`."""
        return {
            "dataset": self.folder,
            "sources": self.counts.sources,
            "sources_with_pairs": self.counts.sources_with_pairs,
            "queries": self.counts.queries,
            "pairs": self.counts.pairs,
            "rejects": self.counts.rejects,
            "shards": self.shards,
            "shards_skipped": self.shards_skipped,
            "seconds": self.seconds,
        }


@dataclass(frozen=True)
class LoadKnownCaptions:
    """The captions that an index made by the same captioner already has, when called."""

    index_folder: str

    def __call__(self) -> KnownCaptions:
        """Caption and confidence by key and content."""
        return partial(find_caption, open_index(self.index_folder))


@dataclass(frozen=True)
class LoadWordCounts:
    """How often each word occurs in the captions of an index, when called."""

    index_folder: str

    def __call__(self) -> Mapping[str, int]:
        """Document frequency by lower-cased word."""
        return open_index(self.index_folder).word_counts


def find_caption(
    index: PictureIndex, key: str, content_sha256: str
) -> tuple[str, float | None] | None:
    """What the index has as the caption of the picture `key`, if it is this very picture."""
    row = index.find(key)
    if row is None or index.content(row) != content_sha256:
        return None
    entry = index.row(row)
    return entry.caption, entry.caption_confidence


def build_graph(pipeline: beam.Pipeline, unit: BuildUnit, plan: BuildPlan) -> None:
    """Wires all stages for the shards of `unit`."""
    options, preset = plan.options, plan.preset
    index = open_index(plan.index_folder)
    spans = [span for _, shard in unit.shards for span in plan_batches(shard, options.batch_size)]
    pictures = (
        pipeline
        | "Spans" >> beam.Create(spans)
        | "Spread" >> beam.Reshuffle()
        | "Read" >> Read(plan.source)
    )
    if options.captions == "source":
        captioned = pictures | "Caption" >> TakeSourceCaptions()
    else:
        captioned = pictures | "Caption" >> Caption(
            LoadCaptioner(preset.captioner), load_known=_known_captions(plan, index)
        )
    considered = (
        (captioned | "Mine" >> _mine(plan, index))
        if options.method == "mine"
        else (captioned | "Rewrite" >> _rewrite(plan))
    )
    considered = (
        considered
        | "Embed"
        >> EmbedQueries(LoadEncoder(preset.encoder), known=index, open_picture=plan.source.open)
        | "Retrieve" >> Retrieve(index, options.retrieve)
    )
    finished = (
        considered
        | "Select" >> Select(options.thresholds, options.edits)
        | "Segment"
        >> Segment(
            LoadSegmenter(preset.segmenter),
            open_picture=plan.pool.open,
            open_source=plan.source.open,
        )
    )
    shards = [shard for shard, _ in unit.shards]
    _ = (finished, considered) | "Write" >> Write(
        plan.folder, shards, plan.source, plan.pool, plan.configuration_hash
    )


def _rewrite(plan: BuildPlan) -> Rewrite:
    by_picture = plan.options.senses == "picture"
    return Rewrite(
        plan.options.rewrite,
        load_word_counts=LoadWordCounts(plan.index_folder),
        load_encoder=LoadEncoder(plan.preset.encoder) if by_picture else None,
    )


def _mine(plan: BuildPlan, index: PictureIndex) -> Mine:
    rewrite, retrieve = plan.options.rewrite, plan.options.retrieve
    options = MineOptions(seed=rewrite.seed, edits=rewrite.edits, cap=retrieve.cap)
    return Mine(index, LexiconRelations(), options, TaggedPhrase())


def _known_captions(plan: BuildPlan, index: PictureIndex) -> LoadKnownCaptions | None:
    # From the plan: to hash the weights again for every unit would read them all each time.
    same = index.description["captioner"] == plan.configuration["models"]["captioner"]
    return LoadKnownCaptions(plan.index_folder) if same else None


def output_shards(shards: Sequence[SourceShard]) -> list[OutputShard]:
    """The output shard of each of all `shards` of a source."""
    return [
        OutputShard(number, len(shards), shard.name, shard.stop - shard.start)
        for number, shard in enumerate(shards)
    ]


def run_build_unit(unit: BuildUnit, plan: BuildPlan) -> tuple[int, StageSeconds]:
    """Builds the shards of `unit` in this process; how many pictures they held, and how long."""
    return unit.pictures, run_here(partial(build_graph, unit=unit, plan=plan))


def run_build(plan: BuildPlan, execution: Execution, *, overwrite: bool = False) -> BuildSummary:
    """Makes the data set, or what is still missing of it, and finishes it.

    Raises:
        SourceError, IndexFolderError, ModelError, OutputError, CommandError: in one line each.
    """
    folder, mark = Path(plan.folder), plan.configuration_hash
    shards = plan.source.shards()
    prepare_output(folder, mark, overwrite=overwrite)
    total = len(shards)
    outputs = output_shards(shards)
    waiting = [
        pair
        for pair in zip(outputs, shards, strict=True)
        if whole_shard(folder, pair[0], mark) is None
    ]
    seconds = _build_shards(waiting, plan, execution) if waiting else StageSeconds({})
    receipts = _all_receipts(folder, outputs, mark)
    manifest = _manifest(plan, receipts)
    if waiting or not _is_finished(folder, manifest):
        write_manifest(folder, manifest)
        summary = {"seconds": seconds.seconds, "workers": execution.workers}
        write_run_summary(folder, summary | {"shards_built": len(waiting), "shards": total})
    return BuildSummary(
        folder=plan.folder,
        counts=manifest.counts,
        shards=total,
        shards_skipped=total - len(waiting),
        seconds=seconds.seconds,
    )


def _is_finished(folder: Path, manifest: Manifest) -> bool:
    return is_completed(folder) and load_manifest(folder).as_dict() == manifest.as_dict()


def _build_shards(
    waiting: Sequence[tuple[OutputShard, SourceShard]], plan: BuildPlan, execution: Execution
) -> StageSeconds:
    if execution.beam_flags:
        whole = BuildUnit(tuple(waiting))
        return run_elsewhere(partial(build_graph, unit=whole, plan=plan), execution.beam_flags)
    groups = group_units(
        waiting,
        size=lambda each: each[1].stop - each[1].start,
        least=PICTURES_A_JOIN if plan.options.method == "mine" else execution.pictures_a_unit,
    )
    units = [BuildUnit(tuple(group)) for group in groups]
    work = partial(run_build_unit, plan=plan)
    return run_on_this_machine("building pairs", work, units, workers=execution.workers)


def _all_receipts(
    folder: Path, outputs: Sequence[OutputShard], mark: str
) -> tuple[ShardReceipt, ...]:
    receipts = [whole_shard(folder, shard, mark) for shard in outputs]
    for shard, receipt in zip(outputs, receipts, strict=True):
        if receipt is None:
            raise OutputError(f"{folder} lacks shard {shard.number}: run the command again")
    return tuple(receipt for receipt in receipts if receipt is not None)


def _manifest(plan: BuildPlan, receipts: tuple[ShardReceipt, ...]) -> Manifest:
    return Manifest(
        configuration=plan.configuration,
        source=plan.source.describe(),
        pool=plan.pool.describe(),
        seed=plan.options.seed,
        models=plan.preset.identities(),
        software=software_versions(),
        shards=receipts,
    )
