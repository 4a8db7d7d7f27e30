"""What an index already knows in words: captions of pictures, and how often words occur in them."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from indexes.folder import PictureIndex, open_index
from transforms.caption import KnownCaptions
from transforms.words.pool_words import MOST_CAPTIONS


@dataclass(frozen=True)
class LoadKnownCaptions:
    """The captions that an index made by the same captioner already has, when called."""

    index_folder: str
    identity: str | None = None

    def __call__(self) -> KnownCaptions:
        """Caption and confidence by key and content."""
        return partial(find_caption, open_index(self.index_folder, identity=self.identity))


@dataclass(frozen=True)
class LoadPoolCaptions:
    """Captions of an index, when called: of all its pictures, or of evenly many of them."""

    index_folder: str
    identity: str | None = None

    def __call__(self) -> Iterator[str]:
        """Captions in the order of rows, see `sample_captions`."""
        return sample_captions(open_index(self.index_folder, identity=self.identity))


def sample_captions(index: PictureIndex, *, most: int = MOST_CAPTIONS) -> Iterator[str]:
    """The captions of every row, or, of more than `most`, of every second, third ... row."""
    step = max(1, -(-len(index) // most))
    block = step * CAPTIONS_AT_ONCE
    for start in range(0, len(index), block):
        yield from index.captions(start, min(start + block, len(index)))[::step]


CAPTIONS_AT_ONCE = 1024


def find_caption(
    index: PictureIndex, key: str, content_sha256: str
) -> tuple[str, float | None] | None:
    """What the index has as the caption of the picture `key`, if it is this very picture."""
    row = index.find(key)
    if row is None or index.content(row) != content_sha256:
        return None
    entry = index.row(row)
    return entry.caption, entry.caption_confidence
