"""What an index already knows in words: captions of pictures, and how often words occur in them."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from indexes.folder import PictureIndex, open_index
from transforms.caption import KnownCaptions


@dataclass(frozen=True)
class LoadKnownCaptions:
    """The captions that an index made by the same captioner already has, when called."""

    index_folder: str
    identity: str | None = None

    def __call__(self) -> KnownCaptions:
        """Caption and confidence by key and content."""
        return partial(find_caption, open_index(self.index_folder, identity=self.identity))


@dataclass(frozen=True)
class LoadWordCounts:
    """How often each word occurs in the captions of an index, when called."""

    index_folder: str
    identity: str | None = None

    def __call__(self) -> Mapping[str, int]:
        """Document frequency by lower-cased word."""
        return open_index(self.index_folder, identity=self.identity).word_counts


def find_caption(
    index: PictureIndex, key: str, content_sha256: str
) -> tuple[str, float | None] | None:
    """What the index has as the caption of the picture `key`, if it is this very picture."""
    row = index.find(key)
    if row is None or index.content(row) != content_sha256:
        return None
    entry = index.row(row)
    return entry.caption, entry.caption_confidence
