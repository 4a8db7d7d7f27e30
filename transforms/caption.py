"""Caption: says in words what each picture shows, or takes the words its source has for it."""

import dataclasses
import functools
import threading
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import apache_beam as beam
from PIL import Image

from transforms.batches.ahead import chunks_ahead
from transforms.batches.outcomes import bisect_failures
from transforms.batches.stages import MapBatches, RunBatches
from transforms.models.devices import fill_rows
from transforms.models.files import identity
from transforms.models.spec import ModelSpec
from transforms.pictures.decoding import PictureError, decode_kept
from transforms.protocols import Captioner, FitsPictures, GeneratedCaption, rows_of
from transforms.record import Batch, Reject, SourceImage, reject_source

NAME = "Caption"
STAGE = NAME.lower()
PICTURES_AT_ONCE = 16

CAPTIONS = ("model", "source")
"""Who says what a picture shows: the captioner, or the words its source has for it."""

KnownCaptions = Callable[[str, str], tuple[str, float | None] | None]
"""Caption and confidence of the picture with this key and content hash; None where it has none.

A key alone does not tell pictures apart: those of two downloads are both numbered from 0."""


class _Prepared(NamedTuple):
    """A record, and its picture as the captioner sees it, or its caption, or why it has none."""

    record: SourceImage
    made: Image.Image | tuple[str, float | None] | Reject


def captioner_identity(captioner: ModelSpec, captions: str) -> str:
    """What made the captions, where `captions` is one of `CAPTIONS`: a model, or `source`.

    Raises:
        ModelError: local weights that would have to be hashed are not there.
    """
    return "source" if captions == "source" else identity(captioner)


def clean_caption(text: str) -> str:
    """The text on one line: control characters dropped, runs of white space made one space."""
    printable = (
        character
        for character in unicodedata.normalize("NFC", text)
        if character.isspace() or unicodedata.category(character) != "Cc"
    )
    return " ".join("".join(printable).split())


def caption_batch(
    batch: Batch[SourceImage],
    captioner: Captioner,
    *,
    known: KnownCaptions | None = None,
) -> Batch[SourceImage]:
    """Fill in `caption` and `caption_confidence` of every picture of the batch.

    `known` gives captions that were made before; the captioner does not see those pictures.

    Rejects: `empty_caption` where nothing is said, a `PictureError`'s reason where the bytes cannot
    be decoded, `model_failed` where the captioner fails.
    """
    records: list[SourceImage] = []
    rejects: list[Reject] = []
    describe = functools.partial(_describe, captioner=captioner)
    prepare = functools.partial(_prepare, captioner=captioner)
    before = [
        known(record.key, record.content_sha256) if known else None for record in batch.records
    ]
    # A lazy captioner is asked how much it takes at once only where it has anything to do.
    at_once = fill_rows(1 if all(before) else rows_of(captioner), least=PICTURES_AT_ONCE)
    known_or_not = zip(batch.records, before, strict=True)
    for chunk in chunks_ahead(prepare, known_or_not, at_once=at_once):
        captioned, failed = bisect_failures(chunk, describe, _reject_prepared, at_once=at_once)
        records += captioned
        rejects += failed
    return dataclasses.replace(batch, records=tuple(records), rejects=(*batch.rejects, *rejects))


def take_source_captions(batch: Batch[SourceImage]) -> Batch[SourceImage]:
    """Make each picture's `alt_text`, cleaned, its caption, without a confidence.

    Of several captions, the lines of `alt_text`, it is the first.

    Rejects: `no_caption` where the source has no words for a picture.
    """
    records: list[SourceImage] = []
    rejects: list[Reject] = []
    for record in batch.records:
        lines = map(clean_caption, (record.alt_text or "").split("\n"))
        text = next(filter(None, lines), "")
        if text:
            records.append(dataclasses.replace(record, caption=text, caption_confidence=None))
        else:
            rejects.append(_reject(record, "no_caption", "the source has no words for it"))
    return dataclasses.replace(batch, records=tuple(records), rejects=(*batch.rejects, *rejects))


def _prepare(
    picture: tuple[SourceImage, tuple[str, float | None] | None], *, captioner: Captioner
) -> _Prepared:
    """What can be made of a picture, and what is known of it, without the network."""
    record, found = picture
    return _Prepared(record, found or _decode(record, captioner))


def _describe(prepared: Sequence[_Prepared], *, captioner: Captioner) -> list[SourceImage | Reject]:
    images = [each.made for each in prepared if isinstance(each.made, Image.Image)]
    written = iter(captioner.caption(images) if images else [])
    outcomes: list[SourceImage | Reject] = []
    for record, made in prepared:
        if isinstance(made, Reject):
            outcomes.append(made)
        elif isinstance(made, Image.Image):
            words = next(written)
            outcomes.append(_captioned(record, words.text, words.confidence))
        else:
            outcomes.append(_captioned(record, *made))
    return outcomes


def _decode(record: SourceImage, captioner: Captioner) -> Image.Image | Reject:
    assert record.image is not None, f"Caption runs where the bytes are at hand: {record.key}"
    try:
        image = decode_kept(record.image)
    except PictureError as error:
        return _reject(record, error.reason, error.detail)
    return captioner.fit(image) if isinstance(captioner, FitsPictures) else image


def _captioned(record: SourceImage, text: str, confidence: float | None) -> SourceImage | Reject:
    text = clean_caption(text)
    if not text:
        return _reject(record, "empty_caption", "the captioner found no words for it")
    return dataclasses.replace(record, caption=text, caption_confidence=confidence)


def _reject_prepared(prepared: _Prepared, reason: str, detail: str) -> Reject:
    return _reject(prepared.record, reason, detail)


def _reject(record: SourceImage, reason: str, detail: str) -> Reject:
    return reject_source(record, stage=STAGE, reason=reason, detail=detail)


class LazyCaptioner:
    """A `Captioner` that loads the real one when the first picture comes.

    For runs in which the captions of most shards are known, and a large captioner may never be
    needed.
    """

    def __init__(self, load: Callable[[], Captioner]):
        self._load = load
        self._loaded: Captioner | None = None
        self._loading = threading.Lock()

    @property
    def rows(self) -> int:
        """How many pictures the real one sees at once."""
        return rows_of(self._real())

    def fit(self, image: Image.Image) -> Image.Image:
        """The picture as the real one sees it."""
        real = self._real()
        return real.fit(image) if isinstance(real, FitsPictures) else image

    def caption(self, images: Sequence[Image.Image]) -> list[GeneratedCaption]:
        """One caption per RGB picture, in order."""
        return self._real().caption(images)

    def _real(self) -> Captioner:
        with self._loading:
            if self._loaded is None:
                self._loaded = self._load()
            return self._loaded


@dataclass(frozen=True)
class _Captioning:
    captioner: Captioner
    known: KnownCaptions | None


@dataclass(frozen=True)
class _LoadCaptioning:
    load: Callable[[], Captioner]
    load_known: Callable[[], KnownCaptions] | None

    def __call__(self) -> _Captioning:
        if self.load_known is None:
            return _Captioning(self.load(), None)
        return _Captioning(LazyCaptioner(self.load), self.load_known())


def _apply(batch: Batch[SourceImage], captioning: _Captioning) -> Batch[SourceImage]:
    return caption_batch(batch, captioning.captioner, known=captioning.known)


@beam.typehints.with_input_types(Batch)
@beam.typehints.with_output_types(Batch)
@dataclass
class Caption(beam.PTransform):
    """Batches of pictures to the same with captions; see `caption_batch`.

    `load` makes the captioner in each worker process; `load_known`, where given, the captions that
    are there already, and then the captioner is loaded only when a picture needs it. Both are
    picklable and hashable; `functools.partial(pairloom.load_captioner, "sd14")` is, too. Rejects
    are those of `caption_batch`.

    Raises:
        TypeError: `load` is not hashable.
        ModelError: while the pipeline runs, where the captioner cannot be loaded.

    >>> import apache_beam as beam, pairloom
    >>> source = pairloom.StillLifeSource(count=1, told=True)
    >>> with beam.Pipeline("FnApiRunner") as pipeline:
    ...     spans = pipeline | beam.Create(pairloom.plan_batches(source.shards()[0], 1))
    ...     captioned = spans | pairloom.Read(source) | pairloom.Caption(pairloom.load_captioner)
    ...     _ = captioned | beam.Map(lambda batch: print(batch.records[0].caption))
    a small yellow chair on the left of a patterned background
    """

    load: Callable[[], Captioner]
    load_known: Callable[[], KnownCaptions] | None = None

    def expand(self, batches: beam.PCollection) -> beam.PCollection:
        """Wire `caption_batch` behind RunInference."""
        load = _LoadCaptioning(self.load, self.load_known)
        return batches | RunBatches(load=load, apply=_apply, name=NAME)


@beam.typehints.with_input_types(Batch)
@beam.typehints.with_output_types(Batch)
@dataclass
class TakeSourceCaptions(beam.PTransform):
    """Batches of pictures to the same with their sources' words; see `take_source_captions`.

    >>> import apache_beam as beam, pairloom
    >>> source = pairloom.StillLifeSource(count=1, told=True)
    >>> with beam.Pipeline("FnApiRunner") as pipeline:
    ...     spans = pipeline | beam.Create(pairloom.plan_batches(source.shards()[0], 1))
    ...     told = spans | pairloom.Read(source) | pairloom.TakeSourceCaptions()
    ...     _ = told | beam.Map(lambda batch: print(batch.records[0].caption))
    a small yellow chair on the left of a patterned background
    """

    def expand(self, batches: beam.PCollection) -> beam.PCollection:
        """Wire `take_source_captions`."""
        return batches | MapBatches(take_source_captions, NAME)
