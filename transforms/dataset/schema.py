"""The Arrow schemas of a pair data set: every column with its type and its meaning.

Three tables: pairs (what a trainer reads), rejects (what did not become a pair, and why) and
candidates (every query with all pictures considered for it, so that thresholds can be changed
without a model). The data set card, the Croissant file and `docs/dataset.md` take the meanings from
here; `transforms.dataset.rows` turns records into rows and back.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace

import pyarrow as pa

from indexes.names import EARLIER_NAME, NAME

SCHEMA_VERSION = 4
READABLE_VERSIONS = (1, 2, 3, 4)
"""1 and 2 differ in the project's name alone (`indexes.names`), 3 and 4 have `LATER_COLUMNS`."""

LATER_COLUMNS = {
    "edit_instruction": 3,
    "source_language": 4,
    "source_similarity": 4,
    "target_language": 4,
    "target_similarity": 4,
}
"""Columns that earlier versions did not have, each with the first version that has it."""


def check_version(version: object) -> None:
    """Make sure that files of this schema version can be read.

    Raises:
        ValueError: they cannot.
    """
    if version not in READABLE_VERSIONS:
        known = f"{', '.join(map(str, READABLE_VERSIONS[:-1]))} or {READABLE_VERSIONS[-1]}"
        raise ValueError(f"schema version must be {known}, got {version}")


def name_at(version: int) -> str:
    """What the project was called when it wrote files of this schema version."""
    return EARLIER_NAME if version == 1 else NAME


MASK_COMPUTED = "computed"
MASK_NOT_COMPUTED = "not_computed"

# Hugging Face `datasets` takes a column for a picture only with these two fields in this order.
IMAGE = pa.struct([pa.field("bytes", pa.binary()), pa.field("path", pa.string())])


@dataclass(frozen=True)
class Column:
    """One column of a table: its name, its Arrow type and what it means."""

    name: str
    type: pa.DataType
    meaning: str


SCORE_MEANINGS = {
    "retrieval": "inner product of the query vector and the target's embedding",
    "rank": "place of the target in the search result, from 0",
    "margin": "retrieval score less that of the next candidate",
    "text_image_source": "cosine of the source picture and its caption",
    "text_image_target": "cosine of the target picture and the edit prompt",
    "directional": "cosine of the change of picture and the change of words",
    "image_image": "cosine of the two pictures",
    "structure": "cosine of the two maps of edge energy",
    "new_word": "1 where the target's own caption holds the target word, else 0",
    "old_word": "1 where the target's own caption holds the source word, else 0",
    "rest": "agreement of the remaining words of edit prompt and target caption, 0 to 1",
    "source_confidence": "confidence of the source's caption, as it was judged in selection",
    "target_confidence": "confidence of the target's caption, as it was judged in selection",
}
_INTEGER_SCORES = frozenset({"rank"})


def score_column(name: str) -> str:
    """The column that holds the score `name` of `transforms.record.Scores`."""
    return f"score_{name}"


SCORE_COLUMNS = tuple(
    Column(
        score_column(name),
        pa.int64() if name in _INTEGER_SCORES else pa.float64(),
        f"{meaning}; null where it was not measured",
    )
    for name, meaning in SCORE_MEANINGS.items()
)

# Record field -> column, for the fields whose column has another name.
SOURCE_FIELDS = {
    "key": "source_key",
    "shard": "source_shard",
    "position": "source_position",
    "reference": "source_reference",
    "content_sha256": "source_sha256",
    "width": "source_width",
    "height": "source_height",
    "alt_text": "source_alt_text",
    "caption": "caption",
    "caption_confidence": "source_caption_confidence",
    "url": "source_url",
    "licence": "source_licence",
    "nsfw": "source_nsfw",
    "watermark": "source_watermark",
    "language": "source_language",
    "similarity": "source_similarity",
}
TARGET_FIELDS = {
    "row": "target_row",
    "key": "target_key",
    "reference": "target_reference",
    "content_sha256": "target_sha256",
    "caption": "target_caption",
    "caption_confidence": "target_caption_confidence",
    "url": "target_url",
    "licence": "target_licence",
    "nsfw": "target_nsfw",
    "watermark": "target_watermark",
    "language": "target_language",
    "similarity": "target_similarity",
}
QUERY_FIELDS = (
    "number",
    "caption",
    "edit_prompt",
    "edit_instruction",
    "source_word",
    "target_word",
    "source_phrase",
    "target_phrase",
    "relation",
    "part_of_speech",
    "source_synset",
    "target_synset",
    "alternatives",
    "method",
)

_SIMILARITY = "the collection's similarity of picture and text, as found; LAION's is a cosine"
_SOURCE_COLUMNS = (
    Column("source_key", pa.string(), "key of the source picture in its collection"),
    Column("source_shard", pa.string(), "shard of the source collection it was read from"),
    Column("source_position", pa.int64(), "place of the source picture in that shard"),
    Column("source_reference", pa.string(), "how its collection finds the source picture again"),
    Column("source_sha256", pa.string(), "SHA-256 of the bytes of the source picture"),
    Column("source_width", pa.int64(), "width of the source picture in pixels"),
    Column("source_height", pa.int64(), "height of the source picture in pixels"),
    Column("source_alt_text", pa.string(), "text that came with the source picture, if any"),
    Column(
        "source_caption_confidence",
        pa.float64(),
        "probability of the least certain token of `caption`, 0 to 1; null if it was given",
    ),
    Column("source_url", pa.string(), "address the source picture came from, if known"),
    Column("source_licence", pa.string(), "licence of the source picture, as its collection says"),
    Column("source_nsfw", pa.string(), "the collection's mark for unsafe content, as found"),
    Column("source_watermark", pa.float64(), "the collection's watermark probability, as found"),
    Column("source_language", pa.string(), "language of the text, as the collection says"),
    Column("source_similarity", pa.float64(), _SIMILARITY),
)
_TARGET_COLUMNS = (
    Column("target_row", pa.int64(), "row of the pseudo-target in the index"),
    Column("target_key", pa.string(), "key of the pseudo-target in the index"),
    Column("target_reference", pa.string(), "how the pool finds the pseudo-target again"),
    Column("target_sha256", pa.string(), "SHA-256 of the bytes of the pseudo-target"),
    Column("target_caption", pa.string(), "the pseudo-target's own caption, from the index"),
    Column(
        "target_caption_confidence",
        pa.float64(),
        "probability of the least certain token of `target_caption`; null if it was given",
    ),
    Column("target_url", pa.string(), "address the pseudo-target came from, if known"),
    Column("target_licence", pa.string(), "licence of the pseudo-target, as its collection says"),
    Column("target_nsfw", pa.string(), "the collection's mark for unsafe content, as found"),
    Column("target_watermark", pa.float64(), "the collection's watermark probability, as found"),
    Column("target_language", pa.string(), "language of the text, as the collection says"),
    Column("target_similarity", pa.float64(), _SIMILARITY),
)
_CAPTION = Column("caption", pa.string(), "what the source picture shows, in words")
_EDIT_PROMPT = Column(
    "edit_prompt",
    pa.string(),
    "what the edited picture shows: the caption with one word exchanged. It DESCRIBES the target, "
    "as in iEdit; it is not an instruction, as in InstructPix2Pix",
)
_EDIT_INSTRUCTION = Column(
    "edit_instruction",
    pa.string(),
    "the same edit as an instruction, as in InstructPix2Pix: replace the dog with a cat",
)
_WORD_COLUMNS = (
    Column("number", pa.int64(), "tells several edits of one source picture apart, from 0"),
    Column("source_word", pa.string(), "the word of the caption that was exchanged"),
    Column("target_word", pa.string(), "the word that took its place, inflected"),
    Column("source_phrase", pa.string(), "what is segmented in the source picture"),
    Column("target_phrase", pa.string(), "what is segmented in the pseudo-target"),
    Column("relation", pa.string(), "relation of the two words: antonym or co-hyponym"),
    Column("part_of_speech", pa.string(), "noun or adjective"),
    Column("source_synset", pa.string(), "WordNet synset of the source word"),
    Column("target_synset", pa.string(), "WordNet synset of the target word"),
    Column("alternatives", pa.int64(), "how many other substitutes were possible"),
    Column("method", pa.string(), "how the pseudo-target was found: search or mine"),
)
_MASK_COLUMNS = (
    Column("source_mask_area", pa.float64(), "marked share of the source picture, 0 to 1"),
    Column("source_mask_confidence", pa.float64(), "mean relevance over the marked pixels"),
    Column("target_mask_area", pa.float64(), "marked share of the pseudo-target, 0 to 1"),
    Column("target_mask_confidence", pa.float64(), "mean relevance over the marked pixels"),
    Column(
        "mask_status",
        pa.string(),
        f"`{MASK_COMPUTED}` where both masks were computed (an empty one has area 0), else "
        f"`{MASK_NOT_COMPUTED}`",
    ),
)

PAIR_COLUMNS = (
    Column("input_image", IMAGE, "the source picture"),
    _EDIT_PROMPT,
    _EDIT_INSTRUCTION,
    Column("edited_image", IMAGE, "the pseudo-target: a real picture that stands in for the edit"),
    Column("key", pa.string(), "unique key of the pair: source key, hyphen, number of the edit"),
    _CAPTION,
    *_WORD_COLUMNS,
    Column("source_mask", IMAGE, "where `source_phrase` is: single-channel PNG, 255 inside"),
    Column("target_mask", IMAGE, "where `target_phrase` is: single-channel PNG, 255 inside"),
    *_MASK_COLUMNS,
    *SCORE_COLUMNS,
    *_SOURCE_COLUMNS,
    *_TARGET_COLUMNS,
)
REJECT_COLUMNS = (
    Column("key", pa.string(), "key of the source picture"),
    Column("shard", pa.string(), "shard of the source collection"),
    Column("position", pa.int64(), "place of the source picture in that shard"),
    Column("stage", pa.string(), "the stage that turned it away, a lower-case verb"),
    Column("reason", pa.string(), "why, as a short identifier to count by"),
    Column("detail", pa.string(), "why, for a person: the value and the rule"),
    Column("number", pa.int64(), "the edit that was rejected; null for the whole picture"),
    Column("caption", pa.string(), "the source's caption, where there was one"),
    Column("edit_prompt", pa.string(), "the edit that was proposed, where there was one"),
    Column("target_key", pa.string(), "the best candidate there was, if any"),
    *SCORE_COLUMNS,
)
CANDIDATE_FIELDS = {name: column.removeprefix("target_") for name, column in TARGET_FIELDS.items()}


def candidate_type(version: int = SCHEMA_VERSION) -> pa.DataType:
    """The type of one picture in the column `candidates` of a schema version."""
    target = [c for c in _TARGET_COLUMNS if LATER_COLUMNS.get(c.name, 0) <= version]
    return pa.struct(
        [pa.field(c.name.removeprefix("target_"), c.type) for c in target]
        + [pa.field(c.name, c.type) for c in SCORE_COLUMNS]
    )


CANDIDATE_COLUMNS = (
    Column("key", pa.string(), "unique key of the query: source key, hyphen, number of the edit"),
    _CAPTION,
    _EDIT_PROMPT,
    _EDIT_INSTRUCTION,
    *_WORD_COLUMNS,
    *_SOURCE_COLUMNS,
    Column(
        "candidates",
        pa.list_(candidate_type()),
        "all pictures considered, best first, with the target and score columns of the pairs "
        "(without the prefix `target_`)",
    ),
)


def columns_at(columns: Iterable[Column], version: int) -> tuple[Column, ...]:
    """Those of a table's `columns` that files of a schema version have, as they have them."""
    kept = (c for c in columns if LATER_COLUMNS.get(c.name, 0) <= version)
    lists = pa.list_(candidate_type(version))
    return tuple(replace(c, type=lists) if c.name == "candidates" else c for c in kept)


def make_schema(columns: Iterable[Column], *, version: int = SCHEMA_VERSION) -> pa.Schema:
    """The Arrow schema of a table in a version, with what makes its pictures show as pictures."""
    columns = columns_at(columns, version)
    pictures = {column.name: {"_type": "Image"} for column in columns if column.type == IMAGE}
    metadata = {name_at(version): json.dumps({"schema_version": version})}
    if pictures:
        metadata["huggingface"] = json.dumps({"info": {"features": pictures}})
    return pa.schema([pa.field(c.name, c.type) for c in columns], metadata=metadata)


COLUMNS = {"pairs": PAIR_COLUMNS, "rejects": REJECT_COLUMNS, "candidates": CANDIDATE_COLUMNS}
PAIRS = make_schema(PAIR_COLUMNS)
REJECTS = make_schema(REJECT_COLUMNS)
CANDIDATES = make_schema(CANDIDATE_COLUMNS)
IMAGE_COLUMNS = tuple(column.name for column in PAIR_COLUMNS if column.type == IMAGE)
