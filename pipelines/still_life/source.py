"""The built-in world as a picture source."""

import dataclasses
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import count, islice

import numpy as np

from stilllife.render import render
from stilllife.scene import PICTURE_SIZE, Scene
from stilllife.truth import PictureId, parse_key
from transforms.protocols import SourceError, SourceShard
from transforms.record import Reject, SourceImage

SCHEME = "still-life:"
COMBINATIONS = ("all", "seen", "held-out")


@dataclass(frozen=True, kw_only=True)
class StillLifeSource:
    """Any number of still lifes, rendered on demand.

    Picture i of a seed is the same in every collection of that seed and share of two-object scenes.
    `start` lets a collection begin later, `count` is its length, `shard_size` pictures make a
    shard. `two_objects_percent` in 0..100. With `told` every picture comes with its true caption as
    its alt text, as if somebody had described it. `combinations` leaves pictures out: `seen` those
    with a combination that no network of the world was trained on, `held-out` those without one.
    Pictures are PNG, RGB, 64 x 64 pixels.

    Raises:
        SourceError: a value is out of its range.

    >>> from pairloom import StillLifeSource
    >>> source = StillLifeSource(count=5, told=True, shard_size=2)
    >>> [shard.name for shard in source.shards()]
    ['00000', '00001', '00002']
    >>> for picture in source.read(source.shards()[0]):
    ...     print(picture.key, picture.alt_text)
    still-life-0-50-00000000 a small yellow chair on the left of a patterned background
    still-life-0-50-00000001 a large pink train on the left of a plain background
    """

    count: int = 2000
    seed: int = 0
    start: int = 0
    shard_size: int = 1000
    two_objects_percent: int = 50
    told: bool = False
    combinations: str = "all"

    def __post_init__(self) -> None:
        if self.combinations not in COMBINATIONS:
            raise SourceError(
                f"still-life: combinations must be one of {', '.join(COMBINATIONS)}, "
                f"got {self.combinations!r}"
            )
        for name, lowest in (("count", 1), ("seed", 0), ("start", 0), ("shard_size", 1)):
            if getattr(self, name) < lowest:
                raise SourceError(
                    f"still-life: {name} must be at least {lowest}, got {getattr(self, name)}"
                )
        if not 0 <= self.two_objects_percent <= 100:
            raise SourceError(
                f"still-life: two_objects_percent must be in 0..100, got {self.two_objects_percent}"
            )

    @property
    def indices(self) -> Sequence[int]:
        """The numbers of its pictures in its seed, rising."""
        if self.combinations == "all":
            return range(self.start, self.start + self.count)
        return _fitting_indices(self)

    def shards(self) -> list[SourceShard]:
        """Runs of `shard_size` pictures."""
        return [
            SourceShard(
                name=f"{number:05d}",
                origin=f"{SCHEME}{self.seed}",
                start=begin,
                stop=min(begin + self.shard_size, self.count),
            )
            for number, begin in enumerate(range(0, self.count, self.shard_size))
        ]

    def read(self, shard: SourceShard) -> Iterator[SourceImage | Reject]:
        """Renders the pictures of one shard."""
        for position in range(shard.start, shard.stop):
            yield self.picture(self.indices[position], shard=shard.name, position=position)

    def picture(self, index: int, *, shard: str, position: int) -> SourceImage:
        """Renders picture `index`, as the one at `position` of the shard named `shard`."""
        picture = PictureId(self.seed, self.two_objects_percent, index)
        scene = picture.scene()
        image = render(scene).png()
        return SourceImage(
            key=picture.key,
            shard=shard,
            position=position,
            reference=SCHEME + picture.key,
            content_sha256=hashlib.sha256(image).hexdigest(),
            width=PICTURE_SIZE,
            height=PICTURE_SIZE,
            image=image,
            alt_text=scene.caption() if self.told else None,
            licence="Apache-2.0",
        )

    def open(self, reference: str) -> bytes:
        """Renders one picture again; the same bytes as `read` gave.

        Raises:
            SourceError: the reference is not one of a still life.
        """
        try:
            return render(parse_key(reference.removeprefix(SCHEME)).scene()).png()
        except ValueError as error:
            raise SourceError(f"still-life: {error}") from error

    def describe(self) -> dict[str, object]:
        """The collection as plain data."""
        return {
            "kind": "still-life",
            "count": self.count,
            "seed": self.seed,
            "start": self.start,
            "shard_size": self.shard_size,
            "two_objects_percent": self.two_objects_percent,
            "told": self.told,
            "combinations": self.combinations,
        }


@dataclass(frozen=True, kw_only=True)
class StillLifeSubset:
    """`drawn` pictures of a still-life `collection` that show `objects` things, as a source.

    `draw_seed` draws them, without replacement; they keep the order, keys and bytes they have in
    the collection, and as many make a shard.
    """

    collection: StillLifeSource
    objects: int
    drawn: int
    draw_seed: int = 0

    def __post_init__(self) -> None:
        for name, lowest in (("drawn", 1), ("draw_seed", 0)):
            if getattr(self, name) < lowest:
                raise SourceError(
                    f"still-life: {name} must be at least {lowest}, got {getattr(self, name)}"
                )
        if self.objects not in (1, 2):
            raise SourceError(f"still-life: objects must be 1 or 2, got {self.objects}")

    @property
    def indices(self) -> tuple[int, ...]:
        """The numbers of its pictures in the collection's seed, rising.

        Raises:
            SourceError: the collection has fewer such pictures than `drawn`.
        """
        return _draw_indices(self.collection, self.objects, self.drawn, self.draw_seed)

    def shards(self) -> list[SourceShard]:
        """Runs of as many pictures as the collection's."""
        return dataclasses.replace(self.collection, count=len(self.indices)).shards()

    def read(self, shard: SourceShard) -> Iterator[SourceImage | Reject]:
        """Renders the pictures of one shard."""
        for position in range(shard.start, shard.stop):
            yield self.collection.picture(
                self.indices[position], shard=shard.name, position=position
            )

    def open(self, reference: str) -> bytes:
        """Renders one picture again; the same bytes as `read` gave."""
        return self.collection.open(reference)

    def describe(self) -> dict[str, object]:
        """The collection as plain data, and what is drawn of it."""
        return self.collection.describe() | {
            "objects": self.objects,
            "drawn": self.drawn,
            "draw_seed": self.draw_seed,
        }


@lru_cache(maxsize=8)
def _fitting_indices(collection: StillLifeSource) -> tuple[int, ...]:
    wanted = collection.combinations == "held-out"
    numbers = (n for n in count(collection.start) if _scene(collection, n).held_out == wanted)
    return tuple(islice(numbers, collection.count))


@lru_cache(maxsize=8)
def _draw_indices(
    collection: StillLifeSource, objects: int, drawn: int, draw_seed: int
) -> tuple[int, ...]:
    fitting = [
        number for number in collection.indices if len(_scene(collection, number).things) == objects
    ]
    if len(fitting) < drawn:
        raise SourceError(
            f"still-life: drawn must be at most {len(fitting)}, the pictures of the collection "
            f"with {objects} objects, got {drawn}"
        )
    chosen = np.random.default_rng([draw_seed, objects]).choice(fitting, size=drawn, replace=False)
    return tuple(sorted(int(number) for number in chosen))


def _scene(collection: StillLifeSource, index: int) -> Scene:
    return PictureId(collection.seed, collection.two_objects_percent, index).scene()
