"""How the shards of a job are handed out: whole, or batch by batch where there are few of them.

A worker that has a whole shard writes it as soon as it is done with it, see
`transforms.batches.landing`. With fewer shards than workers most would have nothing to do; then
batches are handed out, and the shards written in the end.
"""

import time
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import FlinkRunnerOptions

from indexes.fence import Fence

SHARDS_A_SLOT = 4
"""From so many on whole shards are handed out: the last ones then keep a slot waiting for at most a
fifth of the time."""

SECONDS_A_LOOK = 2.0
"""For so long a worker that does batches takes what it saw of a shard for what is so: to look for
each batch would be two requests a batch where the folder is on a store."""


@dataclass
class Spread(beam.PTransform):
    """Shards to their batches of work, spread over all workers.

    Begins a pipeline. Args:
        shards: what is to be made, one element a shard.
        cut: the batches of work of a shard, in order. Picklable.
        is_whole: whether a shard need not be made again: a job that an engine begins anew leaves
            such shards alone. Picklable; None where that is known beforehand.
        fence: where workers sign in, and see whether the run is over: then nothing is handed out
            any more. None where there are no other runs.
    """

    shards: Sequence[Any]
    cut: Callable[[Any], Iterable[Any]]
    is_whole: Callable[[Any], bool] | None = None
    fence: Fence | None = None

    def __post_init__(self) -> None:
        super().__init__()

    def expand(self, begin: beam.pvalue.PBegin) -> beam.PCollection:
        """Create, sign in, and cut before or after the reshuffle."""
        shards = begin | "Shards" >> beam.Create(list(self.shards))
        if self.fence is not None:
            shards |= "Sign in" >> beam.ParDo(_SignIn(self.fence))
        if hands_out_shards(len(self.shards), slots_of(begin.pipeline)):
            shards |= "Spread" >> beam.Reshuffle()
            leave_out = partial(is_done, is_whole=self.is_whole, fence=self.fence)
            return shards | "Cut" >> beam.FlatMap(cut_shard, cut=self.cut, leave_out=leave_out)
        return (
            shards
            | "Cut" >> beam.FlatMap(name_batches, cut=self.cut)
            | "Spread" >> beam.Reshuffle()
            | "Leave out" >> beam.ParDo(_LeaveOut(self.is_whole, self.fence))
        )


def hands_out_shards(shards: int, slots: int | None) -> bool:
    """Whether so many shards are handed out whole to so many slots; None is not known.

    >>> hands_out_shards(8, 2), hands_out_shards(7, 2), hands_out_shards(1, None)
    (True, False, True)
    """
    return slots is None or slots == 1 or shards >= SHARDS_A_SLOT * slots


def slots_of(pipeline: beam.Pipeline) -> int | None:
    """How many pieces of work the pipeline's engine does at once, where its flags say so."""
    slots = pipeline.options.view_as(FlinkRunnerOptions).parallelism
    return slots if slots > 0 else None


class _SignIn(beam.DoFn):
    """Gives on shards; the run of `fence` is known to have a worker from the first one on."""

    def __init__(self, fence: Fence) -> None:
        super().__init__()
        self._fence = fence

    def start_bundle(self) -> None:
        """Signs in: once a bundle, for on a store it is a request."""
        self._fence.begin()

    def process(self, shard: Any) -> Iterator[Any]:
        """Gives on a shard."""
        yield shard


def is_done(shard: Any, is_whole: Callable[[Any], bool] | None, fence: Fence | None) -> bool:
    """Whether nothing is to be made of `shard`: it is whole, or the run is over."""
    return (is_whole is not None and is_whole(shard)) or (fence is not None and fence.is_over())


def cut_shard(
    shard: Any, cut: Callable[[Any], Iterable[Any]], leave_out: Callable[[Any], bool]
) -> Iterator[Any]:
    """The batches of `shard` one after the other, none where it is done."""
    if not leave_out(shard):
        yield from cut(shard)


def name_batches(shard: Any, cut: Callable[[Any], Iterable[Any]]) -> Iterator[tuple[Any, Any]]:
    """The batches of `shard`, each with its shard."""
    return ((shard, batch) for batch in cut(shard))


class _LeaveOut(beam.DoFn):
    """Gives on batches, but for those of shards that are done; it looks at these now and then."""

    def __init__(self, is_whole: Callable[[Any], bool] | None, fence: Fence | None) -> None:
        super().__init__()
        self._is_whole, self._fence = is_whole, fence
        self._looked: dict[Hashable, tuple[float, bool]] = {}

    def start_bundle(self) -> None:
        """Forgets what an earlier bundle has seen."""
        self._looked = {}

    def process(self, named: tuple[Any, Any]) -> Iterator[Any]:
        """Gives on a batch, unless its shard is done."""
        shard, batch = named
        now = time.monotonic()
        looked, done = self._looked.get(shard, (0.0, False))
        if shard not in self._looked or now - looked > SECONDS_A_LOOK:
            done = is_done(shard, self._is_whole, self._fence)
            self._looked[shard] = now, done
        if not done:
            yield batch
