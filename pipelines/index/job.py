"""Indexing: every picture of a source captioned, embedded and put into an index folder.

Read -> Caption -> Embed -> one part a source shard; then FAISS over all parts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import apache_beam as beam

from indexes.errors import PairloomError
from indexes.fence import Fence
from indexes.folder_lock import lock_folder
from indexes.layout import fingerprint
from indexes.life_cycle import (
    FolderState,
    begin_index,
    finish_index,
    has_parts,
    read_manifest,
    renew_index,
    reopen_index,
)
from indexes.parts import read_part
from indexes.storage.paths import as_path
from pipelines.running.execution import Execution
from pipelines.running.job_inputs import JobInputs, read_inputs, refuse_changed
from pipelines.running.pieces import InPieces
from pipelines.running.sharded_job import ShardedJob, run_job, store_plans
from pipelines.running.spreading import Spread
from pipelines.terminal.console import CommandError, print_note
from transforms.batches.landing import PACKED_PIECE, Piece
from transforms.caption import CAPTIONS, Caption, TakeSourceCaptions, captioner_identity
from transforms.embed import EmbedImages
from transforms.models.devices import PLACEMENTS
from transforms.models.files import identity
from transforms.models.loading import LoadCaptioner, LoadEncoder
from transforms.presets import Preset
from transforms.protocols import Source, SourceShard
from transforms.read import BatchSpan, Read, plan_batches
from transforms.record import Batch
from transforms.sources.listing import list_source
from transforms.write_index import (
    IndexShard,
    WriteIndexParts,
    pack_embedded,
    write_pieces,
)

PlannedPart = tuple[IndexShard, SourceShard]
"""A part of the index, and the source shard it is made of."""


def index_parts(captions: str) -> tuple[str, ...]:
    """The parts of a preset that an index is made with; `captions` is one of `CAPTIONS`."""
    return ("captioner", "encoder") if captions == "model" else ("encoder",)


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
        if self.captions not in CAPTIONS:
            raise ValueError(f"captions must be {' or '.join(CAPTIONS)}, got {self.captions!r}")

    def description(self) -> dict[str, object]:
        """What the index folder says of itself, and must go on saying to be resumed."""
        placements = self.preset.placements(index_parts(self.captions))
        return {
            "encoder": identity(self.preset.encoder),
            "captioner": captioner_identity(self.preset.captioner, self.captions),
            "preset": self.preset.name,
            "source": self.source.describe(),
            "batch_size": self.batch_size,
            "seed": self.seed,
            **({PLACEMENTS: placements} if placements else {}),
        }


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


def cut_batches(planned: PlannedPart, *, batch_size: int) -> list[BatchSpan]:
    """The batches of the source shard of a planned part."""
    return plan_batches(planned[1], batch_size)


def is_written(planned: PlannedPart, *, folder: str, mark: str) -> bool:
    """Whether a planned part is whole."""
    return read_part(as_path(folder), planned[0].part, fingerprint=mark) is not None


def index_graph(
    pipeline: beam.Pipeline,
    parts: Sequence[PlannedPart],
    *,
    plan: IndexPlan,
    mark: str,
    fence: Fence | None = None,
) -> None:
    """Wires the stages for some parts; `mark` is the description's fingerprint.

    `fence` is this run's leave to write them.
    """
    whole = partial(is_written, folder=plan.folder, mark=mark)
    spans = pipeline | "Spread" >> Spread(
        parts,
        partial(cut_batches, batch_size=plan.batch_size),
        is_whole=whole if fence is not None else None,
        fence=fence,
    )
    shards = [shard for shard, _ in parts]
    _ = _embed_spans(spans, plan) | "Write" >> WriteIndexParts(plan.folder, shards, mark, fence)


def landed_graph(
    pipeline: beam.Pipeline, spans: Sequence[BatchSpan], *, plan: IndexPlan
) -> beam.PCollection:
    """Wires the stages for some batches, up to what they bring to their parts."""
    taken = pipeline | "Spans" >> beam.Create(spans) | "Spread" >> beam.Reshuffle()
    pack = beam.Map(pack_embedded).with_input_types(Batch).with_output_types(PACKED_PIECE)
    return _embed_spans(taken, plan) | "Pack" >> pack


def join_part(
    planned: PlannedPart,
    landed: Sequence[Piece],
    *,
    plan: IndexPlan,
    mark: str,
    fence: Fence | None = None,
) -> None:
    """Writes a part of what `landed_graph` gave for its batches."""
    write_pieces(planned[0], landed, folder=plan.folder, fingerprint=mark, fence=fence)


def _embed_spans(spans: beam.PCollection, plan: IndexPlan) -> beam.PCollection:
    """Read, Caption and Embed."""
    pictures = spans | "Read" >> Read(plan.source)
    if plan.captions == "source":
        captioned = pictures | "Caption" >> TakeSourceCaptions()
    else:
        captioned = pictures | "Caption" >> Caption(LoadCaptioner(plan.preset.captioner))
    return captioned | "Embed" >> EmbedImages(LoadEncoder(plan.preset.encoder))


def index_job(plan: IndexPlan, mark: str) -> ShardedJob[PlannedPart]:
    """The parts of the index, one a source shard; `mark` is the description's fingerprint.

    Raises:
        SourceError: the source cannot be read.
    """
    shards = plan.source.shards()
    total = len(shards)
    return ShardedJob(
        label="indexing",
        shards=[
            (IndexShard(n, total, shard.name, shard.stop - shard.start), shard)
            for n, shard in enumerate(shards)
        ],
        is_whole=partial(is_written, folder=plan.folder, mark=mark),
        pictures=lambda each: each[1].stop - each[1].start,
        graph=partial(index_graph, plan=plan, mark=mark),
        folder=plan.folder,
        in_pieces=InPieces(
            cut=partial(cut_batches, batch_size=plan.batch_size),
            graph=partial(landed_graph, plan=plan),
            join=partial(join_part, plan=plan, mark=mark),
        ),
    )


def run_index(plan: IndexPlan, execution: Execution, *, overwrite: bool = False) -> IndexSummary:
    """Makes the index, or what is still missing of it.

    With `overwrite` an index of another description, or of the source as it was before, makes room.

    Raises:
        SourceError, IndexFolderError, ModelError, OutputError, CommandError: in one line each.
        FolderLockedError: another process writes there.
    """
    folder = as_path(plan.folder)
    with lock_folder(folder, "pairloom index", tell=print_note):
        inputs = JobInputs(source=list_source(plan.source))
        job = index_job(plan, fingerprint(plan.description()))
        state = begin_index(folder, plan.description(), overwrite=overwrite)
        state = make_room(plan, inputs, state, overwrite=overwrite)
        waiting = [shard for shard in job.shards if not job.is_whole(shard)]
        if waiting or state != "finished":
            reopen_index(folder)
            if read_inputs(folder) == JobInputs():
                inputs.write(folder)
        store_plans(execution, folder, plan.source)
        progress = run_job(job, execution)
        if progress.made or state != "finished":
            refuse_other_source(plan, inputs, made=waiting)
            manifest = finish_index(
                folder,
                parts=progress.shards,
                seed=plan.seed,
                source_fingerprint=inputs.source.fingerprint if inputs.source else None,
            )
        else:
            manifest = read_manifest(folder)
    counts = read_counts(manifest)
    sources, indexed = counts.pop("sources", 0), counts.pop("indexed", 0)
    return IndexSummary(
        folder=plan.folder,
        sources=sources,
        indexed=indexed,
        rejects=counts,
        parts=progress.shards,
        parts_skipped=progress.skipped,
        seconds=progress.seconds.seconds,
    )


def make_room(
    plan: IndexPlan, now: JobInputs, state: FolderState, *, overwrite: bool
) -> FolderState:
    """Forgets what the folder was begun with, where that is not what it is made of `now`.

    Gives the state of the folder then.

    Raises:
        CommandError: something is made of it, and is not to be overwritten.
    """
    folder = as_path(plan.folder)
    changed = read_inputs(folder).difference(now)
    if changed is None:
        return state
    if has_parts(folder) and not overwrite:
        raise CommandError(
            f"{folder} holds an index of the source as it was, and {changed}: choose another "
            "folder, or make it anew with --overwrite"
        )
    renew_index(folder, plan.description())
    return "new"


def refuse_other_source(plan: IndexPlan, inputs: JobInputs, *, made: Sequence[PlannedPart]) -> None:
    """Makes sure that the source is the one that the parts `made` were begun with; or drops them.

    Raises:
        CommandError: it is not.
    """
    try:
        refuse_changed(plan.source, inputs.source, done="it was being indexed")
    except PairloomError:
        for shard, _ in made:
            shard.part.metadata_path(as_path(plan.folder)).unlink(missing_ok=True)
        raise


def read_counts(manifest: Mapping[str, object]) -> dict[str, int]:
    """What became of all pictures, by name, as the index folder keeps it."""
    counts = manifest["counts"]
    assert isinstance(counts, dict)
    return dict(sorted(counts.items()))
