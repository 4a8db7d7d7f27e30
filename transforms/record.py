"""The records that travel from stage to stage.

A picture enters as a `SourceImage`, a proposed change of its caption makes it an `EditQuery`, a
retrieved pseudo-target makes that an `EditExample`; what does not get that far becomes a `Reject`.
This module imports neither Beam nor torch, so that readers of the data need neither.
"""

import dataclasses
from dataclasses import dataclass, field
from typing import Generic, TypeVar

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
    the Caption stage. The rest is passed through from the source as it was found.
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


@dataclass(frozen=True, kw_only=True)
class EmbeddedImage:
    """A picture with its embedding and its structure map, as the index keeps them.

    `embedding` is float32 little-endian, L2-normalised, of the encoder's dimension; `structure` is
    uint8, 256 bytes, a 16 x 16 map of edge energy (see `transforms.pictures.structure`).
    """

    source: SourceImage
    embedding: bytes
    structure: bytes


@dataclass(frozen=True, kw_only=True)
class Scores:
    """Everything measured on one (query, candidate) pair; None where it could not be measured.

    Cosines lie in [-1, 1]. `retrieval` is the inner product of the query vector and the candidate,
    `rank` its place from 0, `margin` the distance to the next candidate. `text_image_source` and
    `text_image_target` compare each picture with its own words, `directional` the change of picture
    with the change of words (Gal et al. 2022), `image_image` the two pictures. `structure` is the
    cosine of the two structure maps. `new_word` is 1 where the target's own caption holds the
    target word and 0 where not, `old_word` likewise for the source word, `rest` the share of the
    remaining words of the edit prompt and the target's caption on which both agree (multiset
    Jaccard index, in [0, 1]). `source_confidence` and `target_confidence` are the two captions'.
    """

    retrieval: float | None = None
    rank: int | None = None
    margin: float | None = None
    text_image_source: float | None = None
    text_image_target: float | None = None
    directional: float | None = None
    image_image: float | None = None
    structure: float | None = None
    new_word: float | None = None
    old_word: float | None = None
    rest: float | None = None
    source_confidence: float | None = None
    target_confidence: float | None = None

    def as_dict(self) -> dict[str, float]:
        """The scores that were measured, by name."""
        values = dataclasses.asdict(self)
        return {name: float(value) for name, value in values.items() if value is not None}


SCORE_NAMES = tuple(f.name for f in dataclasses.fields(Scores))


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One picture of the index proposed as the pseudo-target of a query.

    `row` is its place in the index; the other fields are the index's metadata for that row.
    """

    row: int
    key: str
    reference: str
    content_sha256: str
    caption: str
    caption_confidence: float | None = None
    url: str | None = None
    licence: str | None = None
    nsfw: str | None = None
    watermark: float | None = None
    scores: Scores = field(default_factory=Scores)


@dataclass(frozen=True, kw_only=True)
class EditQuery:
    """One proposed edit: the source, its caption, and the caption of the picture wanted.

    `number` tells the edits of one picture apart. `edit_prompt` is `caption` with one word (or
    compound) exchanged, article and number adjusted; it DESCRIBES the target, as in iEdit.
    `source_word` and `target_word` are the exchanged words as they stand in the two texts (the
    target's inflected), `source_phrase` and `target_phrase` what is shown to the segmenter: the
    word, and for an adjective "adjective noun". `relation`, `part_of_speech` and the synsets are
    WordNet's. `alternatives` counts the substitutes that were possible and not chosen. `method` is
    how the target is looked for. Embeddings are float32 little-endian and L2-normalised, empty
    until Embed; `candidates` is empty until Retrieve.
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
    """

    png: bytes
    area: float
    confidence: float


@dataclass(frozen=True, kw_only=True)
class EditExample:
    """One finished pair: a query, the candidate that was chosen for it, and both masks.

    `target` carries the scores. The masks are None until Segment.
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
    fails moves from `records` to `rejects` and travels on.
    """

    shard: str
    number: int
    records: tuple[RecordT, ...]
    rejects: tuple[Reject, ...] = ()
