"""Shards of an output, each written as soon as all of it has come, wherever it comes.

What becomes of a source shard arrives as parcels, a batch's worth each. Where one worker makes a
shard after the other, as it does when whole shards are handed out, all parcels of a shard pass
through it one after another: it writes the shard with the last of them, while others are still at
work. Parcels of a shard that are spread over workers meet by a shuffle instead, and are written
when it has ended. Which of the two happens is decided by what arrives, shard by shard; the bytes do
not depend on it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import apache_beam as beam
from apache_beam.metrics import Metrics
from apache_beam.transforms.window import GlobalWindows
from apache_beam.utils.windowed_value import WindowedValue

from indexes.errors import PairloomError
from indexes.fence import Fence, FencedError
from indexes.settled import SettledRows

LAND, SETTLED = "Land", "settled_rows"
"""Namespace and name of the counter of rows that have come to their shards: how far a job is."""


_hearing: list[Callable[[int], None]] = []
"""Who in this process is told of rows that have come to their shards; see `hearing`."""


@contextmanager
def hearing(hear: Callable[[int], None]) -> Iterator[None]:
    """A block in which `hear` is told of all rows that come to their shards in this process."""
    _hearing.append(hear)
    try:
        yield
    finally:
        _hearing.remove(hear)


def tell_here(rows: int) -> None:
    """Tells whoever hears it in this process that so many more rows have come to their shards."""
    for hear in _hearing:
        hear(rows)


class LandingError(PairloomError):
    """Parcels of a shard that nobody asked for."""


class Parcel(NamedTuple):
    """What one batch brings to its shard, packed; `kind` names what of it.

    `rows` is how many rows of the source shard it settles; kinds that settle none have 0.
    """

    kind: str
    number: int
    rows: int
    data: bytes


PACKED_PARCEL = beam.typehints.Tuple[str, beam.typehints.Tuple[str, int, int, bytes]]
"""A parcel under its shard's name, as a type that every runner has a coder for."""


class LandedShard(Protocol):
    """A shard of an output."""

    @property
    def name(self) -> str:
        """The name of the source shard it is made of."""
        ...

    @property
    def sources(self) -> int | None:
        """How many rows the source shard has, where that is known beforehand."""
        ...


def all_here(rows: int | None, parcels: Iterable[Parcel], kinds: Sequence[str]) -> bool:
    """Whether `parcels` are all of a shard of `rows` rows: all rows, and each batch in every kind.

    >>> pairs = [Parcel("pairs", 0, 2, b""), Parcel("pairs", 1, 1, b"")]
    >>> all_here(3, [*pairs, Parcel("asked", 0, 0, b"")], ("pairs", "asked"))
    False
    >>> all_here(3, [*pairs, *(Parcel("asked", n, 0, b"") for n in (0, 1))], ("pairs", "asked"))
    True
    """
    numbers: dict[str, set[int]] = {kind: set() for kind in kinds}
    settled = 0
    for parcel in parcels:
        numbers[parcel.kind].add(parcel.number)
        settled += parcel.rows
    return settled == rows and len(set(map(frozenset, numbers.values()))) == 1


@dataclass
class Land(beam.PTransform):
    """Writes each of `shards` from its parcels, also where none arrive; gives a receipt of each.

    Takes parcels under their shards' names, see `PACKED_PARCEL`. Where a later run has begun than
    that of `fence`, nothing is written and there are no receipts: were it an error, the engine
    would begin the job anew again and again.

    Args:
        shards: all shards to write.
        kinds: the kinds of parcels that every batch brings.
        write: writes a shard from its parcels, in any order, and gives its receipt. Picklable.
        find_whole: the receipt of a shard that is whole already, else None; such a shard is kept.
            Picklable.
        fence: this run's leave to write; None where there are no other runs to keep out.

    Raises:
        LandingError: while the pipeline runs, where parcels arrive for a shard that is none of
            `shards`.
        whatever `write` raises.
    """

    shards: Sequence[LandedShard]
    kinds: tuple[str, ...]
    write: Callable[[Any, Sequence[Parcel]], Any]
    find_whole: Callable[[Any], Any]
    fence: Fence | None = None

    def __post_init__(self) -> None:
        super().__init__()

    def expand(self, parcels: beam.PCollection) -> beam.PCollection:
        """Land what comes together, let the rest meet, and look at every shard in the end."""
        by_name = {shard.name: shard for shard in self.shards}
        landing = _Landing(by_name, self.kinds, self.write, self.find_whole, self.fence)
        rest = parcels | "Land" >> beam.ParDo(landing).with_output_types(PACKED_PARCEL)
        seeds = [(shard.name, shard) for shard in self.shards]
        return (
            {"parcels": rest, "shard": parcels.pipeline | "Seed shards" >> beam.Create(seeds)}
            | "Meet by shard" >> beam.CoGroupByKey()
            | "Write shard"
            >> beam.FlatMap(
                _write_met, write=self.write, find_whole=self.find_whole, fence=self.fence
            )
        )


class _Landing(beam.DoFn):
    """Keeps the parcels of one shard at a time, and writes it when they are all there."""

    def __init__(
        self,
        shards: Mapping[str, LandedShard],
        kinds: tuple[str, ...],
        write: Callable[[Any, Sequence[Parcel]], Any],
        find_whole: Callable[[Any], Any],
        fence: Fence | None,
    ) -> None:
        super().__init__()
        self._shards, self._kinds = shards, kinds
        self._write, self._find_whole, self._fence = write, find_whole, fence
        self._name = ""
        self._kept: list[Parcel] = []
        self._told: SettledRows | None = None

    def setup(self) -> None:
        """Begins to tell how far this worker is, where others wait for it."""
        self._told = SettledRows(self._fence) if self._fence is not None else None

    def start_bundle(self) -> None:
        """Forgets what a bundle that failed has left."""
        self._name, self._kept = "", []

    def process(self, element: tuple[str, tuple[str, int, int, bytes]]) -> Iterator[Any]:
        """Keeps a parcel; gives on those of another shard, which will not be whole here."""
        name, parcel = element[0], Parcel(*element[1])
        self._count(parcel.rows)
        if name != self._name:
            yield from self._give_on()
            self._name = name
        self._kept.append(parcel)
        shard = self._shards.get(name)
        if shard is not None and all_here(shard.sources, self._kept, self._kinds):
            kept, self._kept = self._kept, []
            _write_once(shard, kept, self._write, self._find_whole, self._fence)

    def finish_bundle(self) -> Iterator[WindowedValue]:
        """Gives on what is not whole."""
        yield from map(GlobalWindows.windowed_value, self._give_on())

    def _count(self, rows: int) -> None:
        Metrics.counter(LAND, SETTLED).inc(rows)
        tell_here(rows)
        if self._told is not None:
            self._told.add(rows)

    def _give_on(self) -> list[tuple[str, tuple[str, int, int, bytes]]]:
        kept, self._kept = self._kept, []
        return [(self._name, (*parcel,)) for parcel in kept]


def _write_once(
    shard: LandedShard,
    parcels: Sequence[Parcel],
    write: Callable[[Any, Sequence[Parcel]], Any],
    find_whole: Callable[[Any], Any],
    fence: Fence | None,
) -> list[Any]:
    """The receipt of `shard`, which is written unless it is whole; none where the run is over."""
    try:
        if fence is not None:
            fence.check()
        whole = find_whole(shard)
        return [whole if whole is not None else write(shard, parcels)]
    except FencedError:
        return []


def _write_met(
    group: tuple[str, Mapping[str, Iterable[Any]]],
    *,
    write: Callable[[Any, Sequence[Parcel]], Any],
    find_whole: Callable[[Any], Any],
    fence: Fence | None,
) -> list[Any]:
    """The receipt of the shard whose seed and parcels have met; none where the run is over.

    Raises:
        LandingError: the name is not that of exactly one shard.
    """
    name, parts = group
    shards = list(parts["shard"])
    if len(shards) != 1:
        raise LandingError(f"batches must be of one output shard, {name} is of {len(shards)}")
    parcels = [Parcel(*parcel) for parcel in parts["parcels"]]
    return _write_once(shards[0], parcels, write, find_whole, fence)
