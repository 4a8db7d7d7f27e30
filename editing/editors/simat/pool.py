"""The index that results come from, open: its pictures, its captions, and the encoder's space."""

import functools
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass

from PIL import Image

from editing.errors import EditError, SettingError
from editing.parts import OpenSource
from indexes.captions import caption_words
from indexes.folder import PictureIndex, PictureRow, open_index
from transforms.models.adaptation_heads import AdaptationHeads
from transforms.pictures.decoding import PictureError, decode_kept
from transforms.protocols import SourceError
from transforms.search_space import SearchSpace

MOST_CAPTIONS = 200_000
"""So many captions of an index are looked through for sentences that hold a word."""


def index_identity(folder: str) -> str:
    """What tells the index in `folder` from one that is made anew in its place.

    Raises:
        IndexFolderError: there is no finished index.
    """
    return str(open_index(folder).identity)


@dataclass(frozen=True, eq=False)
class Pool:
    """An index, and what gives the bytes of its pictures by their references."""

    space: SearchSpace
    open_picture: Callable[[str], bytes]

    @property
    def index(self) -> PictureIndex:
        """The index."""
        return self.space.index

    def picture(self, row: PictureRow) -> Image.Image:
        """The picture of a row, upright and RGB.

        Raises:
            EditError: it is gone, or is another one now.
        """
        try:
            data = self.open_picture(row.reference)
            if hashlib.sha256(data).hexdigest() != row.content_sha256:
                raise EditError(f"the picture {row.key} is not the one that the index has seen")
            return decode_kept(data)
        except (SourceError, PictureError) as error:
            raise EditError(f"the picture {row.key} of the index cannot be had: {error}") from error

    @functools.cached_property
    def captions(self) -> tuple[str, ...]:
        """Different captions of the index, in its order; of a large one, of its first pictures."""
        found = self.index.captions(0, min(len(self.index), MOST_CAPTIONS))
        return tuple(dict.fromkeys(caption for caption in found if caption))

    def sentences(self, words: str, most: int) -> list[str]:
        """The first captions, at most so many, that hold `words` one after another."""
        wanted = caption_words(words)
        found: list[str] = []
        for caption in self.captions:
            if len(found) == most:
                break
            have = caption_words(caption)
            starts = range(len(have) - len(wanted) + 1)
            if wanted and any(have[at : at + len(wanted)] == wanted for at in starts):
                found.append(caption)
        return found


def exchange(sentence: str, before: str, after: str) -> str:
    """A sentence with other words in place of those it first holds, as whole words."""
    inside = r"\W+".join(map(re.escape, caption_words(before)))
    return re.sub(rf"\b{inside}\b", lambda _: after, sentence, count=1, flags=re.IGNORECASE)


def open_pool(
    folder: str | None,
    *,
    identity: str,
    open_source: OpenSource | None,
    heads: AdaptationHeads | None,
) -> Pool:
    """The index in `folder`, made by the encoder of that identity, and the source it is of.

    Raises:
        SettingError: there is none to open, or nothing opens its source.
        IndexFolderError: it is no finished index, or another encoder's.
        SourceError: its source cannot be opened.
    """
    if folder is None:
        raise SettingError("simat needs --index, a folder that `pairloom index` wrote")
    index = open_index(folder, encoder=identity)
    about = index.description.get("source")
    if not isinstance(about, dict):
        raise SettingError(f"{folder} must name its source to give its pictures, got {about!r}")
    if open_source is None:
        raise SettingError(
            "simat gives pictures of an index: load_editor needs open_source=pairloom.open_source"
        )
    return Pool(SearchSpace(index, heads), open_source(about).open)
