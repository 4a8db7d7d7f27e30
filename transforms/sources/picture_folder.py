"""What all folders of picture files have in common as sources, wherever they lie."""

from collections.abc import Callable
from dataclasses import dataclass

from indexes.storage.errors import refuse_outage
from transforms.pictures.decoding import DEFAULT_LIMITS, PictureError, PictureLimits, normalise
from transforms.protocols import SourceError, SourceShard


@dataclass(frozen=True)
class PictureFolder:
    """The folder `path`, whose rows make shards of `shard_size`; `limits` bound each file.

    Raises:
        SourceError: `shard_size` is no whole number >= 1.
    """

    path: str
    shard_size: int = 1000
    limits: PictureLimits = DEFAULT_LIMITS

    def __post_init__(self) -> None:
        if type(self.shard_size) is not int or self.shard_size < 1:
            raise SourceError(f"shard_size must be a whole number >= 1, got {self.shard_size!r}")

    def describe(self) -> dict[str, object]:
        """The source as plain data."""
        return {
            "kind": "folder",
            "path": self.path,
            "shard_size": self.shard_size,
            "limits": self.limits.describe(),
        }

    def cut_rows(self, rows: int) -> list[SourceShard]:
        """The first `rows` rows in runs of `shard_size`, named by their number."""
        starts = range(0, rows, self.shard_size)
        return [
            SourceShard(f"{number:05d}", self.path, start, min(start + self.shard_size, rows))
            for number, start in enumerate(starts)
        ]

    def read_again(self, reference: str, read: Callable[[], bytes]) -> bytes:
        """The picture that had `reference`, as it was given then; `read` gives its file.

        Raises:
            SourceError: it is gone, or is no picture any more.
            StorageError: the store does not give it.
        """
        try:
            return normalise(read(), self.limits).bytes
        except (OSError, ValueError, PictureError) as error:  # ValueError: a name with a zero byte
            refuse_outage(error)
            raise SourceError(
                f"{reference}: the picture is gone from {self.path}: {error}"
            ) from error
