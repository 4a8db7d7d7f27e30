"""What the stages ask of models and sources: anything with these methods will do."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
from PIL import Image

from indexes.errors import PairloomError
from transforms.record import Reject, SourceImage

Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True)
class GeneratedCaption:
    """A caption and how sure the captioner is: the least certain token's probability, in [0, 1]."""

    text: str
    confidence: float


@runtime_checkable
class FixedRows(Protocol):
    """A model whose network always sees the same number of pictures or texts, `rows`, at once.

    Those that it is given are padded to a multiple of it, so whoever has many gives it that many.
    """

    @property
    def rows(self) -> int:
        """How many it sees at once."""
        ...


@runtime_checkable
class FitsPictures(Protocol):
    """A model that looks at pictures of one size, and brings them to it itself or beforehand."""

    def fit(self, image: Image.Image) -> Image.Image:
        """The picture as the model sees it; of the same it makes the same again."""
        ...


def rows_of(model: object) -> int:
    """How many pictures or texts `model` sees at once; 1 for one that takes any number."""
    return model.rows if isinstance(model, FixedRows) else 1


@runtime_checkable
class Captioner(Protocol):
    """Describes pictures in words."""

    def caption(self, images: Sequence[Image.Image]) -> list[GeneratedCaption]:
        """One caption per RGB picture, in order."""
        ...


@runtime_checkable
class TextLikelihood(Protocol):
    """A captioner that says how likely it would have been to write given texts."""

    def log_likelihoods(self, images: Sequence[Image.Image], texts: Sequence[str]) -> Vectors:
        """The log-likelihood of each text for the RGB picture beside it, in nats, at most 0."""
        ...


@runtime_checkable
class Encoder(Protocol):
    """Maps pictures and texts into one space (CLIP)."""

    @property
    def dimension(self) -> int:
        """Length of an embedding."""
        ...

    def encode_images(self, images: Sequence[Image.Image]) -> Vectors:
        """L2-normalised embeddings of RGB pictures, shape (n, dimension)."""
        ...

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """L2-normalised embeddings of texts, shape (n, dimension)."""
        ...


class KnownRow(Protocol):
    """What is known of a picture that was embedded before."""

    @property
    def content_sha256(self) -> str:
        """Hash of the bytes that were embedded."""
        ...


class KnownPictures(Protocol):
    """Pictures embedded before BY THE SAME ENCODER: an `indexes.folder.PictureIndex`."""

    def find(self, key: str) -> int | None:
        """The row of the picture `key`, if it is known."""
        ...

    def row(self, row: int) -> KnownRow:
        """What is known of it."""
        ...

    def embedding(self, row: int) -> Vectors:
        """Its embedding, float32 (d,)."""
        ...

    def structure(self, row: int) -> object:
        """Its structure map, uint8 (256,)."""
        ...


@runtime_checkable
class Segmenter(Protocol):
    """Finds what a phrase names in a picture (CLIPSeg)."""

    def relevance(self, images: Sequence[Image.Image], phrases: Sequence[str]) -> Vectors:
        """Relevance of every point to the phrase, in [0, 1], shape (n, h, w), the model's size."""
        ...


@dataclass(frozen=True)
class PictureEdit:
    """An edit of a picture in words: `phrase` of its `caption` is exchanged, `prompt` comes out."""

    phrase: str
    caption: str
    prompt: str


@runtime_checkable
class EditSegmenter(Protocol):
    """Finds where an edit would change a picture, which the words alone may not name."""

    def edit_relevance(
        self, images: Sequence[Image.Image], edits: Sequence[PictureEdit]
    ) -> Sequence[Vectors]:
        """How likely each point is to change, in [0, 1]: an array (h, w) for each picture."""
        ...


@dataclass(frozen=True)
class SourceShard:
    """A named run of pictures of a source: rows `start` to `stop` of the file or list `origin`.

    `name` is unique in the source, sorts in source order and is usable in a file name.
    """

    name: str
    origin: str
    start: int
    stop: int


class Source(Protocol):
    """A collection of pictures. Small and picklable: it holds paths and settings, no pictures."""

    def shards(self) -> list[SourceShard]:
        """All shards, sorted by name; the same list on every call while the source is unchanged.

        Raises:
            SourceError: the source cannot be read, or has no pictures at all.
        """
        ...

    def read(self, shard: SourceShard) -> Iterator[SourceImage | Reject]:
        """The pictures of one shard in order, `image` filled in; bad ones as rejects."""
        ...

    def open(self, reference: str) -> bytes:
        """The encoded bytes of one picture that `read` gave this reference to.

        Raises:
            SourceError: the picture is no longer there.
        """
        ...

    def describe(self) -> dict[str, object]:
        """The source as plain data: what `pipelines.sources.open_source` makes it from again."""
        ...


class SourceError(PairloomError):
    """A source that cannot be used, in one line that names the path or value and the rule."""
