"""Shards made in pieces: a few large ones by as many processes as are wanted, with the same bytes.

A source has shards of a thousand pictures, say, and a job of one or two of them would keep one or
two processes busy, whatever `--workers` says. Such a shard's batches are shared out: each process
puts some of them through the stages in a pipeline of its own, and what would meet in the shuffle to
the shard meets where the last piece has come; one process then writes the shard. Batches are those
they would be anyway, so the shard's bytes are, too.
"""

import pickle
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Generic, TypeVar

import apache_beam as beam
from apache_beam.typehints.decorators import no_annotations

from pipelines.running.runners import StageSeconds, run_here
from transforms.batches.landing import Parcel
from transforms.read import BatchSpan

ShardT = TypeVar("ShardT")


@dataclass(frozen=True, kw_only=True)
class InPieces(Generic[ShardT]):
    """How the shards of a job are made in pieces; all of it is pickled to worker processes.

    `cut` gives the batches of a shard, in order. `graph` puts some of them through the stages and
    gives what they bring to their shard, see `transforms.batches.landing`; `join` writes a shard
    from all of that, in any order, and is timed as the stage `Write`. Where the job has a folder
    `join` takes a `fence`, this run's leave to write there.
    """

    cut: Callable[[ShardT], Sequence[BatchSpan]]
    graph: Callable[[beam.Pipeline, Sequence[BatchSpan]], beam.PCollection]
    join: Callable[..., object]


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
    landed: tuple[Parcel, ...]
    pictures: int = 0


@dataclass(frozen=True)
class Done(Generic[ShardT]):
    """What a unit came to: pictures, seconds by stage, and what a piece brings to its shard."""

    pictures: int
    seconds: StageSeconds
    piece: Piece[ShardT] | None = None
    landed: tuple[Parcel, ...] = ()


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
        return Joining(shard, tuple(chain.from_iterable(each.landed for each in pieces)))


def run_piece(piece: Piece[ShardT], job: InPieces[ShardT]) -> Done[ShardT]:
    """Puts the batches of `piece` through the stages in this process.

    Beam's functions are pickled even here and share nothing with the one that started them, so what
    they give passes through a folder that is gone at the end.

    Raises:
        whatever a stage raises.
    """
    with tempfile.TemporaryDirectory(prefix="pairloom-piece-") as folder:

        def wire(pipeline: beam.Pipeline) -> None:
            landed = job.graph(pipeline, piece.spans)
            _ = landed | "Keep" >> beam.Map(_keep, folder=folder)

        seconds = run_here(wire)
        landed = tuple(_read_kept(file) for file in sorted(Path(folder).iterdir()))
    return Done(piece.pictures, seconds, piece, landed)


@no_annotations  # to Beam a parcel is a tuple
def _keep(packed: tuple[str, Parcel], folder: str) -> None:
    with tempfile.NamedTemporaryFile(dir=folder, delete=False) as file:
        pickle.dump(tuple(packed[1]), file)


def _read_kept(path: Path) -> Parcel:
    return Parcel(*pickle.loads(path.read_bytes()))


def run_joining(joining: Joining[ShardT], job: InPieces[ShardT]) -> Done[ShardT]:
    """Writes a shard of its pieces in this process.

    Raises:
        whatever the stage that writes raises.
    """
    began = time.perf_counter()
    job.join(joining.shard, joining.landed)
    return Done(joining.pictures, StageSeconds({"Write": time.perf_counter() - began}))
