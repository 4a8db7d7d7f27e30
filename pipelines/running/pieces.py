"""Shards made in pieces: a few large ones by as many processes as are wanted, with the same bytes.

A source has shards of a thousand pictures, say, and a job of one or two of them would keep one or
two processes busy, whatever `--workers` says. Such a shard's batches are shared out: each process
puts some of them through the stages in a pipeline of its own, and what would meet in the shuffle to
the shard meets where the last piece has come; one process then writes the shard. Batches are those
they would be anyway, so the shard's bytes are, too.
"""

import math
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain, groupby
from pathlib import Path
from typing import Generic, TypeVar

import apache_beam as beam

from pipelines.running.runners import StageSeconds, run_here
from transforms.batches.packing import Packed
from transforms.read import BatchSpan

ShardT = TypeVar("ShardT")

Streams = tuple[tuple[bytes, ...], ...]
"""What a piece gives, packed: of each of the job's collections that meet by shard, its elements."""

UNITS_A_WORKER = 4
"""Shards are cut where there would be fewer units than that for a worker: the last to end may then
leave the others idle for a quarter of its share, and no more."""


@dataclass(frozen=True, kw_only=True)
class InPieces(Generic[ShardT]):
    """How the shards of a job are made in pieces; all of it is pickled to worker processes.

    `cut` gives the batches of a shard, in order. `graph` puts some of them through the stages and
    gives the packed collections that meet by shard; `join` writes a shard from them, each in any
    order, and is timed as the stage `Write`.
    """

    cut: Callable[[ShardT], Sequence[BatchSpan]]
    graph: Callable[[beam.Pipeline, Sequence[BatchSpan]], tuple["beam.PCollection[Packed]", ...]]
    join: Callable[[ShardT, Streams], object]


@dataclass(frozen=True)
class Piece(Generic[ShardT]):
    """Some batches of a shard that is made `of` so many pieces."""

    shard: ShardT
    of: int
    spans: tuple[BatchSpan, ...]

    @property
    def pictures(self) -> int:
        """How many rows of the source they cover."""
        return sum(span.stop - span.start for span in self.spans)


@dataclass(frozen=True)
class Joining(Generic[ShardT]):
    """A shard of which all pieces are there; their pictures are counted already."""

    shard: ShardT
    streams: Streams
    pictures: int = 0


@dataclass(frozen=True)
class Done(Generic[ShardT]):
    """What a unit came to: pictures, seconds by stage, and of a piece what meets by shard."""

    pictures: int
    seconds: StageSeconds
    piece: Piece[ShardT] | None = None
    streams: Streams = ()


@dataclass
class PiecesSoFar(Generic[ShardT]):
    """The pieces of shards that are not all there yet."""

    _waiting: dict[ShardT, list[Done[ShardT]]] = field(default_factory=dict)

    def add(self, done: Done[ShardT]) -> Joining[ShardT] | None:
        """The shard that `done` was the last piece of, to be written; None where there is none."""
        if done.piece is None:
            return None
        shard = done.piece.shard
        pieces = self._waiting.setdefault(shard, [])
        pieces.append(done)
        if len(pieces) < done.piece.of:
            return None
        del self._waiting[shard]
        streams = zip(*(each.streams for each in pieces), strict=True)
        return Joining(shard, tuple(tuple(chain.from_iterable(stream)) for stream in streams))


def piece_size(pictures: int, *, workers: int, least: int) -> int:
    """How many pictures a piece has, so that each of the workers gets several; `least` at least."""
    return max(least, math.ceil(pictures / (UNITS_A_WORKER * workers)))


def cut_pieces(shard: ShardT, spans: Sequence[BatchSpan], *, size: int) -> list[Piece[ShardT]]:
    """The batches of a shard in pieces of about `size` pictures, all nearly of one length."""
    pictures = sum(span.stop - span.start for span in spans)
    number = min(len(spans), max(1, round(pictures / size)))
    groups = groupby(range(len(spans)), key=lambda place: place * number // len(spans))
    return [Piece(shard, number, tuple(spans[n] for n in places)) for _, places in groups]


def run_piece(piece: Piece[ShardT], job: InPieces[ShardT]) -> Done[ShardT]:
    """Puts the batches of `piece` through the stages in this process.

    Beam's functions are pickled even here and share nothing with the one that started them, so what
    they give passes through a folder that is gone at the end.

    Raises:
        whatever a stage raises.
    """
    with tempfile.TemporaryDirectory(prefix="pairloom-piece-") as folder:
        streams: list[Path] = []

        def wire(pipeline: beam.Pipeline) -> None:
            for number, packed in enumerate(job.graph(pipeline, piece.spans)):
                streams.append(Path(folder, str(number)))
                streams[-1].mkdir()
                _ = packed | f"Keep {number}" >> beam.Map(_keep, folder=str(streams[-1]))

        seconds = run_here(wire)
        kept = tuple(tuple(file.read_bytes() for file in each.iterdir()) for each in streams)
    return Done(piece.pictures, seconds, piece, kept)


def _keep(packed: Packed, folder: str) -> None:
    with tempfile.NamedTemporaryFile(dir=folder, delete=False) as file:
        file.write(packed[1])


def run_joining(joining: Joining[ShardT], job: InPieces[ShardT]) -> Done[ShardT]:
    """Writes a shard of its pieces in this process.

    Raises:
        whatever the stage that writes raises.
    """
    began = time.perf_counter()
    job.join(joining.shard, joining.streams)
    return Done(joining.pictures, StageSeconds({"Write": time.perf_counter() - began}))


def cut_shards(
    shards: Iterable[ShardT], job: InPieces[ShardT], *, size: int
) -> tuple[list[ShardT], list[Piece[ShardT]]]:
    """Those of `shards` that are left whole, and the others in pieces of about `size` pictures."""
    whole: list[ShardT] = []
    pieces: list[Piece[ShardT]] = []
    for shard in shards:
        cut = cut_pieces(shard, job.cut(shard), size=size)
        if len(cut) > 1:
            pieces += cut
        else:
            whole.append(shard)
    return whole, pieces
