"""The records that travel from stage to stage.

A picture enters as a `SourceImage`, a proposed change of its caption makes it an `EditQuery`, a
retrieved pseudo-target makes that an `EditExample`; what does not get that far becomes a `Reject`.
This module imports neither Beam nor torch, so that readers of the data need neither.
"""

from dataclasses import dataclass, field
from typing import Generic, TypeVar

from transforms.candidate import SCORE_NAMES as SCORE_NAMES
from transforms.candidate import Candidate as Candidate
from transforms.candidate import Scores as Scores

RELATIONS = ("antonym", "co-hyponym")
PARTS_OF_SPEECH = ("noun", "adjective")
SEARCH_METHODS = ("search", "mine")


@dataclass(frozen=True, kw_only=True)
class SourceImage:
    """One picture of a collection, with what its source says about it.

    `key` is unique in the collection and the same on every run: the source's own id, or a content
    hash. `shard` and `position` say where it stands in the source. `reference` is a string with
    which the source finds the picture again; `image` holds its encoded bytes (JPEG, PNG or WebP,
    upright, 8 bit, at most three channels) while it is at hand and None in a shuffle.
    `content_sha256` is the hash of `image`. `caption` and `caption_confidence` (probability of the
    least certain token, in [0, 1]; None where the caption came with the source) are filled in by
    the Caption stage. `width` and `height` are in pixels. `alt_text` is what the source says, a
    line each where it says several things. The rest is passed through as it was found.

    >>> from pairloom import SourceImage, StillLifeSource
    >>> source = StillLifeSource(count=2, told=True)
    >>> [shard] = source.shards()
    >>> picture = next(source.read(shard))
    >>> isinstance(picture, SourceImage), picture.width, picture.height
    (True, 64, 64)
    >>> picture.alt_text
    'a small yellow chair on the left of a patterned background'
    """

    key: str
    shard: str
    position: int
    reference: str
    content_sha256: str
    width: int
    height: int
    image: bytes | None = None
    alt_text: str | None = None
    caption: str | None = None
    caption_confidence: float | None = None
    url: str | None = None
    licence: str | None = None
    nsfw: str | None = None
    watermark: float | None = None
    language: str | None = None
    similarity: float | None = None


@dataclass(frozen=True, kw_only=True)
class EmbeddedImage:
    """A picture with its embedding and its structure map, as the index keeps them.

    `embedding` is float32 little-endian, L2-normalised, of the encoder's dimension; `structure` is
    uint8, 256 bytes, a 16 x 16 map of edge energy (see `transforms.pictures.structure`).

    >>> import numpy as np
    >>> from pairloom import Batch, EmbeddedImage, StillLifeSource, load_encoder
    >>> from transforms.embed import embed_images_batch
    >>> source = StillLifeSource(count=1)
    >>> [shard] = source.shards()
    >>> batch = Batch(shard.name, 0, tuple(source.read(shard)))
    >>> [embedded] = embed_images_batch(batch, load_encoder("stilllife")).records
    >>> isinstance(embedded, EmbeddedImage), len(embedded.structure)
    (True, 256)
    >>> np.frombuffer(embedded.embedding, "<f4").shape
    (128,)
    """

    source: SourceImage
    embedding: bytes
    structure: bytes


@dataclass(frozen=True, kw_only=True)
class EditQuery:
    """One proposed edit: the source, its caption, and the caption of the picture wanted.

    `number` tells the edits of one picture apart. `edit_prompt` is `caption` with one word (or
    compound) exchanged, article and number adjusted; it DESCRIBES the target, as in iEdit.
    `edit_instruction` says the same as what is to be done, as in InstructPix2Pix; empty where
    nobody said it. `source_word` and `target_word` are the exchanged words as they stand in the two
    texts (the target's inflected), `source_phrase` and `target_phrase` what is shown to the
    segmenter: the word, and for an adjective "adjective noun". `relation`, `part_of_speech` and the
    synsets are WordNet's. `alternatives` counts the substitutes that were possible and not chosen.
    `method` is how the target is looked for. Embeddings are float32 little-endian and
    L2-normalised, empty until Embed; `candidates` is empty until Retrieve.

    >>> from pairloom import EditQuery, StillLifeSource
    >>> source = StillLifeSource(count=1, told=True)
    >>> picture = next(source.read(source.shards()[0]))
    >>> query = EditQuery(
    ...     source=picture,
    ...     number=0,
    ...     caption="a small yellow chair on the left of a patterned background",
    ...     edit_prompt="a small red chair on the left of a patterned background",
    ...     source_word="yellow",
    ...     target_word="red",
    ...     source_phrase="yellow chair",
    ...     target_phrase="red chair",
    ...     relation="co-hyponym",
    ...     part_of_speech="adjective",
    ...     source_synset="yellow.s.01",
    ...     target_synset="red.s.01",
    ... )
    >>> query.key
    'still-life-0-50-00000000-0'
    """

    source: SourceImage
    number: int
    caption: str
    edit_prompt: str
    source_word: str
    target_word: str
    source_phrase: str
    target_phrase: str
    relation: str
    part_of_speech: str
    source_synset: str
    target_synset: str
    edit_instruction: str = ""
    alternatives: int = 0
    method: str = "search"
    source_embedding: bytes = b""
    source_structure: bytes = b""
    caption_embedding: bytes = b""
    edit_embedding: bytes = b""
    candidates: tuple[Candidate, ...] = ()

    @property
    def key(self) -> str:
        """Unique in the data set and stable: the source's key and the edit's number."""
        return f"{self.source.key}-{self.number}"


@dataclass(frozen=True, kw_only=True)
class Mask:
    """What the segmenter found for one phrase in one picture.

    `png` is a single-channel 8-bit PNG of the picture's size, 255 = belongs to the phrase. `area`
    is the marked share of the picture in [0, 1], `confidence` the mean relevance over the marked
    pixels in [0, 1], 0 where nothing is marked. An empty mask is kept: `area` is 0.

    >>> import numpy as np
    >>> from pairloom import Mask
    >>> from transforms.pictures.masks import mask_from_relevance
    >>> relevance = np.zeros((4, 4), np.float32)
    >>> relevance[:2] = 0.75  # the upper half shows it
    >>> mask = mask_from_relevance(relevance, (64, 64))
    >>> isinstance(mask, Mask), mask.area, mask.confidence
    (True, 0.5, 0.75)
    """

    png: bytes
    area: float
    confidence: float


@dataclass(frozen=True, kw_only=True)
class EditExample:
    """One finished pair: a query, the candidate that was chosen for it, and both masks.

    `target` carries the scores. The masks are None until Segment: `source_mask` marks the query's
    `source_phrase` in the source picture, `target_mask` its `target_phrase` in the target.

    >>> import apache_beam as beam, pairloom
    >>> source = pairloom.StillLifeSource(count=1, told=True)
    >>> index, options = pairloom.open_index("small/index"), pairloom.RewriteOptions(edits=8)
    >>> with beam.Pipeline("FnApiRunner") as pipeline:
    ...     spans = pipeline | beam.Create(pairloom.plan_batches(source.shards()[0], 1))
    ...     told = spans | pairloom.Read(source) | pairloom.TakeSourceCaptions()
    ...     edits = told | pairloom.Rewrite(options, load_captions=index.captions)
    ...     found = edits | pairloom.EmbedQueries(pairloom.load_encoder) | pairloom.Retrieve(index)
    ...     examples = found | pairloom.Select() | beam.FlatMap(lambda batch: batch.records)
    ...     kind = pairloom.EditExample
    ...     _ = examples | beam.Map(lambda one: print(isinstance(one, kind), one.target.key))
    True still-life-0-50-00000004
    """

    query: EditQuery
    target: Candidate
    source_mask: Mask | None = None
    target_mask: Mask | None = None

    @property
    def key(self) -> str:
        """The query's key."""
        return self.query.key


@dataclass(frozen=True, kw_only=True)
class Reject:
    """What did not become a pair, at which stage, why, and what was measured until then.

    `reason` is a short lower-case identifier such as `not_an_image`, the same for all rejects of a
    kind, so that they can be counted; `detail` is one line for a person, naming the value and the
    rule. A reject of a whole picture has `number` None; a reject of one proposed edit has the
    edit's number and words.

    >>> from pairloom import Reject
    >>> reject = Reject(
    ...     key="7d1f",
    ...     shard="00000",
    ...     position=12,
    ...     stage="read",
    ...     reason="too_small",
    ...     detail="8 x 8 pixels, both sides must be >= 16",
    ... )
    >>> reject.number is None, reject.scores.as_dict()
    (True, {})
    """

    key: str
    shard: str
    position: int
    stage: str
    reason: str
    detail: str = ""
    number: int | None = None
    caption: str | None = None
    edit_prompt: str | None = None
    target_key: str | None = None
    scores: Scores = field(default_factory=Scores)


def reject_source(source: SourceImage, *, stage: str, reason: str, detail: str = "") -> Reject:
    """The reject of a whole picture at `stage`."""
    return Reject(
        key=source.key,
        shard=source.shard,
        position=source.position,
        stage=stage,
        reason=reason,
        detail=detail,
        caption=source.caption,
    )


def reject_query(
    query: EditQuery,
    *,
    stage: str,
    reason: str,
    detail: str = "",
    candidate: Candidate | None = None,
) -> Reject:
    """The reject of one proposed edit at `stage`, with the best `candidate` it had, if any."""
    return Reject(
        key=query.source.key,
        shard=query.source.shard,
        position=query.source.position,
        stage=stage,
        reason=reason,
        detail=detail,
        number=query.number,
        caption=query.caption,
        edit_prompt=query.edit_prompt,
        target_key=candidate.key if candidate else None,
        scores=candidate.scores if candidate else Scores(),
    )


RecordT = TypeVar("RecordT")


@dataclass(frozen=True)
class Batch(Generic[RecordT]):
    """A fixed, ordered run of records of one source shard: the unit of work.

    The cut into batches depends on the source and the batch size alone, never on workers, so that
    a model sees the same numbers together on every run. Each stage maps a batch to a batch; what
    fails moves from `records` to `rejects` and travels on. `shard` is the source shard's name,
    `number` counts the batches of a shard from 0.

    >>> from pairloom import Batch, StillLifeSource
    >>> from transforms.caption import take_source_captions
    >>> source = StillLifeSource(count=3)  # nobody has told what these show
    >>> [shard] = source.shards()
    >>> batch = take_source_captions(Batch(shard.name, 0, tuple(source.read(shard))))
    >>> len(batch.records), [reject.reason for reject in batch.rejects]
    (0, ['no_caption', 'no_caption', 'no_caption'])
    """

    shard: str
    number: int
    records: tuple[RecordT, ...]
    rejects: tuple[Reject, ...] = ()
