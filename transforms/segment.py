"""Segment: finds the edited thing in both pictures of a pair and keeps the regions as masks."""

import dataclasses
import functools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import apache_beam as beam
from PIL import Image

from transforms.batches.ahead import chunks_ahead, make_each
from transforms.batches.outcomes import bisect_failures
from transforms.batches.stages import RunBatches
from transforms.models.devices import fill_rows
from transforms.pictures.decoding import PictureError, decode_kept
from transforms.pictures.masks import THRESHOLD, mask_from_relevance
from transforms.protocols import (
    EditSegmenter,
    FitsPictures,
    PictureEdit,
    Segmenter,
    SourceError,
    Vectors,
    rows_of,
)
from transforms.record import Batch, EditExample, Mask, Reject, reject_query

NAME = "Segment"
STAGE = NAME.lower()

OpenPicture = Callable[[str], bytes]
"""Encoded bytes of the picture with this reference. Raises SourceError where it is gone."""

DecodePicture = Callable[[bytes], Image.Image]
"""The RGB pixels of encoded bytes. Raises PictureError where there are none."""

EXAMPLES_AT_ONCE = 8
"""So many at least are looked at together, two pictures of each; more where it fills a network."""


def segment_batch(
    batch: Batch[EditExample],
    segmenter: Segmenter | EditSegmenter,
    open_picture: OpenPicture,
    *,
    open_source: OpenPicture | None = None,
    threshold: float = THRESHOLD,
    decode: DecodePicture = decode_kept,
) -> Batch[EditExample]:
    """Fill in both masks of every pair: source phrase in the source, target phrase in the target.

    An `EditSegmenter` is told the edit of each picture: of the source the pair's own, of the target
    the way back.

    `open_picture` opens the targets; the sources too, unless their bytes are at hand or
    `open_source` is given for them. `decode` is for pictures of a data set, which no source has
    just judged. A phrase that is nowhere gives an empty mask, which is kept.

    Rejects: `source_gone` and `target_gone` where a picture can no longer be opened or decoded,
    `model_failed` where the segmenter fails.
    """
    prepare = functools.partial(
        _prepare,
        segmenter=segmenter,
        open_target=open_picture,
        open_source=open_source or open_picture,
        decode=decode,
    )
    segment = functools.partial(_segment, segmenter=segmenter, threshold=threshold)
    pictures = fill_rows(rows_of(segmenter), least=2 * EXAMPLES_AT_ONCE)
    at_once = pictures // 2
    records: list[EditExample] = []
    rejects: list[Reject] = []
    for chunk in chunks_ahead(prepare, batch.records, at_once=at_once):
        masked, failed = bisect_failures(chunk, segment, _reject_prepared, at_once=at_once)
        records += masked
        rejects += failed
    return dataclasses.replace(batch, records=tuple(records), rejects=(*batch.rejects, *rejects))


class _Prepared(NamedTuple):
    """A pair, and both its pictures as the segmenter sees them; or why it has none."""

    example: EditExample
    pictures: "tuple[_Picture, _Picture] | Reject"


class _Picture(NamedTuple):
    image: Image.Image
    size: tuple[int, int]


def _prepare(
    example: EditExample,
    *,
    segmenter: Segmenter | EditSegmenter,
    open_target: OpenPicture,
    open_source: OpenPicture,
    decode: DecodePicture,
) -> _Prepared:
    """What can be made of a pair without the network, in any thread."""
    opened = _open_both(example, open_target, open_source, decode=decode)
    if isinstance(opened, Reject):
        return _Prepared(example, opened)
    source, target = (
        _Picture(segmenter.fit(image) if isinstance(segmenter, FitsPictures) else image, image.size)
        for image in opened
    )
    return _Prepared(example, (source, target))


def _segment(
    prepared: Sequence[_Prepared], *, segmenter: Segmenter | EditSegmenter, threshold: float
) -> list[EditExample | Reject]:
    pictures: list[_Picture] = []
    edits: list[PictureEdit] = []
    for example, pair in prepared:
        if not isinstance(pair, Reject):
            pictures += pair
            edits += _edits_both_ways(example)
    maps = _relevance(segmenter, [each.image for each in pictures], edits) if pictures else ()
    make = functools.partial(_make_mask, threshold=threshold)
    masks = iter(make_each(make, zip(maps, pictures, strict=True)))
    return [
        pair
        if isinstance(pair, Reject)
        else dataclasses.replace(example, source_mask=next(masks), target_mask=next(masks))
        for example, pair in prepared
    ]


def _make_mask(found: tuple[Vectors, _Picture], *, threshold: float) -> Mask:
    relevance, picture = found
    return mask_from_relevance(relevance, picture.size, threshold=threshold)


def _reject_prepared(prepared: _Prepared, reason: str, detail: str) -> Reject:
    return _reject(prepared.example, reason, detail)


def _edits_both_ways(example: EditExample) -> tuple[PictureEdit, PictureEdit]:
    query = example.query
    before, after = query.source.caption or "", query.edit_prompt or ""
    return (
        PictureEdit(query.source_phrase, before, after),
        PictureEdit(query.target_phrase, after, before),
    )


def _relevance(
    segmenter: Segmenter | EditSegmenter,
    images: Sequence[Image.Image],
    edits: Sequence[PictureEdit],
) -> Iterable[Vectors]:
    if isinstance(segmenter, EditSegmenter):
        return segmenter.edit_relevance(images, edits)
    return segmenter.relevance(images, [edit.phrase for edit in edits])


def _open_both(
    example: EditExample,
    open_target: OpenPicture,
    open_source: OpenPicture,
    *,
    decode: DecodePicture,
) -> tuple[Image.Image, Image.Image] | Reject:
    source = example.query.source
    try:
        image = source.image if source.image is not None else open_source(source.reference)
        source_image = decode(image)
    except (SourceError, PictureError) as error:
        return _reject(example, "source_gone", f"{source.reference}: {error}")
    try:
        return source_image, decode(open_target(example.target.reference))
    except (SourceError, PictureError) as error:
        return _reject(example, "target_gone", f"{example.target.reference}: {error}")


def _reject(example: EditExample, reason: str, detail: str) -> Reject:
    return reject_query(
        example.query, stage=STAGE, reason=reason, detail=detail, candidate=example.target
    )


@dataclass(frozen=True)
class _Apply:
    open_picture: OpenPicture
    open_source: OpenPicture | None
    threshold: float

    def __call__(
        self, batch: Batch[EditExample], segmenter: Segmenter | EditSegmenter
    ) -> Batch[EditExample]:
        return segment_batch(
            batch,
            segmenter,
            self.open_picture,
            open_source=self.open_source,
            threshold=self.threshold,
        )


@beam.typehints.with_input_types(Batch)
@beam.typehints.with_output_types(Batch)
@dataclass
class Segment(beam.PTransform):
    """Batches of pairs to the same with masks; see `segment_batch`.

    `load` makes the segmenter in each worker process and is hashable; `open_picture` and
    `open_source` are picklable, such as the `open` method of a `Source`. `threshold`, in (0, 1), is
    the relevance from which a point belongs to the phrase. Rejects are those of `segment_batch`.

    Raises:
        TypeError: `load` is not hashable.
        ModelError: while the pipeline runs, where the segmenter cannot be loaded.

    >>> import apache_beam as beam, pairloom
    >>> source = pairloom.StillLifeSource(count=1, told=True)
    >>> index, options = pairloom.open_index("small/index"), pairloom.RewriteOptions(edits=8)
    >>> with beam.Pipeline("FnApiRunner") as pipeline:
    ...     spans = pipeline | beam.Create(pairloom.plan_batches(source.shards()[0], 1))
    ...     told = spans | pairloom.Read(source) | pairloom.TakeSourceCaptions()
    ...     edits = told | pairloom.Rewrite(options, load_captions=index.captions)
    ...     found = edits | pairloom.EmbedQueries(pairloom.load_encoder) | pairloom.Retrieve(index)
    ...     chosen = found | pairloom.Select()
    ...     masked = chosen | pairloom.Segment(pairloom.load_segmenter, open_picture=source.open)
    ...     _ = masked | beam.Map(lambda batch: print(0 < batch.records[0].target_mask.area < 0.5))
    True
    """

    load: Callable[[], Segmenter | EditSegmenter]
    open_picture: OpenPicture
    open_source: OpenPicture | None = None
    threshold: float = THRESHOLD

    def expand(self, batches: beam.PCollection) -> beam.PCollection:
        """Wire `segment_batch` behind RunInference."""
        apply = _Apply(self.open_picture, self.open_source, self.threshold)
        return batches | RunBatches(load=self.load, apply=apply, name=NAME)
