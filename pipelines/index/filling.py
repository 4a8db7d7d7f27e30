"""The search index filled by the workers of a cluster: trained once, then a piece by each.

On one machine the threads of one process do the same, see `indexes.faiss_building`.
"""

from collections.abc import Iterator, Sequence
from functools import partial

import apache_beam as beam

from indexes.fence import Fence, FencedError
from indexes.index_choice import choose_index
from indexes.layout import fingerprint
from indexes.spread_filling import Filling, PieceSpan, fill_piece, plan_filling, train_once
from indexes.storage.paths import as_path
from indexes.whole_parts import read_whole_parts
from pipelines.index.plan import IndexPlan
from pipelines.running.execution import Execution
from pipelines.running.sharded_job import ShardedJob, run_job


def fill_elsewhere(plan: IndexPlan, execution: Execution, *, parts: int) -> Filling | None:
    """Has the workers of another runner fill the search index over all `parts`, which are whole.

    None where the job runs on this machine, or the index is too small to be filled by several: it
    is then built as it is finished.

    Raises:
        IndexFolderError, OutputError, CommandError: in one line each.
        FencedError: another run has begun to write there.
    """
    if not execution.beam_flags:
        return None
    folder = as_path(plan.folder)
    whole = read_whole_parts(folder, parts, fingerprint=fingerprint(plan.description()))
    memory = plan.index_memory_gib
    choice = choose_index(int(whole.pictures.sum()), whole.dimension, memory_gib=memory)
    filling = plan_filling(folder, whole, choice, seed=plan.seed, memory_gib=memory)
    if filling is not None:
        run_job(filling_job(filling), execution)
    return filling


def filling_job(filling: Filling) -> ShardedJob[PieceSpan]:
    """The pieces of the search index as a job: what is whole is not filled again."""
    return ShardedJob(
        label="search index",
        shards=filling.spans,
        is_whole=filling.is_filled,
        pictures=lambda span: span.rows,
        graph=partial(filling_graph, filling=filling),
        folder=filling.folder,
    )


def filling_graph(
    pipeline: beam.Pipeline,
    spans: Sequence[PieceSpan],
    *,
    filling: Filling,
    fence: Fence | None = None,
) -> None:
    """Wires the stages that fill the pieces of `spans`: one worker trains, then all of them fill.

    `fence` is this run's leave to write them.
    """
    _ = (
        pipeline
        | "All pieces" >> beam.Create([list(spans)])
        | "Train" >> beam.FlatMap(train_for, filling=filling, fence=fence)
        | "Spread" >> beam.Reshuffle()
        | "Fill" >> beam.Map(fill_unless_over, filling=filling, fence=fence)
    )


def train_for(
    spans: Sequence[PieceSpan], *, filling: Filling, fence: Fence | None
) -> Iterator[PieceSpan]:
    """`spans` one by one, after what they need is trained; none where the run is over."""
    if fence is not None:
        fence.begin()
    try:
        train_once(filling, fence=fence)
    except FencedError:
        return
    yield from spans


def fill_unless_over(span: PieceSpan, *, filling: Filling, fence: Fence | None) -> None:
    """Fills the piece of a span; where the run is over nothing is written.

    Were that an error, the engine would begin the job anew again and again.
    """
    try:
        if fence is not None:
            fence.check()
        fill_piece(filling, span, fence=fence)
    except FencedError:
        return
