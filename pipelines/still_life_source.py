"""The built-in world as a picture source."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from stilllife.render import render
from stilllife.scene import PICTURE_SIZE
from stilllife.truth import PictureId, parse_key
from transforms.protocols import SourceError, SourceShard
from transforms.record import Reject, SourceImage

SCHEME = "still-life:"


@dataclass(frozen=True, kw_only=True)
class StillLifeSource:
    """Any number of still lifes, rendered on demand.

    Picture i of a seed is the same in every collection of that seed and share of two-object scenes.
    `start` lets a collection begin later, `count` is its length, `shard_size` pictures make a
    shard. `two_objects_percent` in 0..100. With `told` every picture comes with its true caption as
    its alt text, as if somebody had described it.
    """

    count: int = 2000
    seed: int = 0
    start: int = 0
    shard_size: int = 1000
    two_objects_percent: int = 50
    told: bool = False

    def __post_init__(self) -> None:
        for name, lowest in (("count", 1), ("seed", 0), ("start", 0), ("shard_size", 1)):
            if getattr(self, name) < lowest:
                raise SourceError(
                    f"still-life: {name} must be at least {lowest}, got {getattr(self, name)}"
                )
        if not 0 <= self.two_objects_percent <= 100:
            raise SourceError(
                "still-life: two_objects_percent must be in 0..100, "
                f"got {self.two_objects_percent}"
            )

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
            picture = PictureId(self.seed, self.two_objects_percent, self.start + position)
            scene = picture.scene()
            image = render(scene).png()
            yield SourceImage(
                key=picture.key,
                shard=shard.name,
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
        """Renders one picture again; the same bytes as `read` gave."""
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
        }
