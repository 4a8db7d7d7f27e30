"""What the columns of a data set may hold: one table, by the name of the column.

`schema` says what a column means; here is which of its values mean something. `find_breaches` holds
a column against its rule.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc

from transforms.dataset.plain_data import shown
from transforms.record import PARTS_OF_SPEECH, RELATIONS, SEARCH_METHODS

MOST_TEXT_BYTES = 1_000_000
MOST_NAME_BYTES = 10_000
MOST_SIDE = 1_000_000
_ROUNDING = 1e-3
"""A cosine of float32 unit vectors may be outside [-1, 1] by less than this."""


@dataclass(frozen=True)
class Rule:
    """What a value may be; null only where `nullable`, never NaN or infinite.

    `least` and `most` bound a number, `slack` is what rounding may add to them, `unit` says what it
    counts. `choices` are all values there are. A text has at most `most_bytes` in UTF-8 and is
    wholly as `pattern`, which `words` puts in words.
    """

    nullable: bool = False
    least: float | None = None
    most: float | None = None
    slack: float = 0.0
    unit: str = ""
    choices: Sequence[str | float] = ()
    most_bytes: int = MOST_TEXT_BYTES
    pattern: str = ""
    words: str = ""

    @property
    def range(self) -> str:
        """The range in words."""
        unit = f" {self.unit}" if self.unit else ""
        if self.most is None:
            return f"finite{unit}" if self.least is None else f">= {self.least:g}{unit}"
        return f"in [{self.least:g}, {self.most:g}]{unit}"


_NULLABLE = Rule(nullable=True)
_TEXT = Rule()
_CAPTION = Rule(pattern=r"(?s).*\S.*", words="not blank")
_WORD = Rule(most_bytes=MOST_NAME_BYTES, pattern=r"(?s).*\S.*", words="not blank")
_NAME = Rule(most_bytes=MOST_NAME_BYTES, pattern=r"(?s).+", words="not empty")
_SHA256 = Rule(pattern=r"[0-9a-f]{64}", words="a SHA-256 in lower-case hexadecimal")
_SYNSET = Rule(pattern=r"\S+\.[a-z]\.[0-9]{2,}", words="the name of a synset, such as bus.n.01")
_IDENTIFIER = Rule(pattern=r"[a-z][a-z0-9_]{0,63}", words="a short lower-case identifier")
_PLACE = Rule(least=0)
_SIDE = Rule(least=1, most=MOST_SIDE, unit="pixels")
_SHARE = Rule(least=0, most=1)
_OPTIONAL_SHARE = replace(_SHARE, nullable=True)
_COSINE = Rule(nullable=True, least=-1, most=1, slack=_ROUNDING)
_TRUTH = Rule(nullable=True, choices=(0.0, 1.0))
_AS_FOUND = Rule(nullable=True)  # a collection's own number is not judged, but must be one
_OPTIONAL_AMOUNT = Rule(nullable=True, least=0)
_GROUP = Rule(nullable=True, pattern=r"[0-9a-f]{16}", words="16 lower-case hexadecimal digits")
# They are shown in pages and terminals as they are.
_SAFE = r"[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u2028\u2029\u202a-\u202e\u2066-\u2069]*"
_SAID_TEXT = Rule(nullable=True, pattern=_SAFE, words="without control characters")
_URL = Rule(
    nullable=True,
    pattern=rf"(?i)(?!\s*(?:javascript|vbscript|data):){_SAFE}",
    words="an address without control characters that runs no script",
)

RULES: dict[str, Rule] = {
    "key": _NAME,
    "caption": _CAPTION,
    "edit_prompt": _CAPTION,
    "edit_instruction": replace(_CAPTION, nullable=True),
    "number": _PLACE,
    "source_word": _WORD,
    "target_word": _WORD,
    "source_phrase": _WORD,
    "target_phrase": _WORD,
    "relation": Rule(choices=RELATIONS),
    "part_of_speech": Rule(choices=PARTS_OF_SPEECH),
    "source_synset": _SYNSET,
    "target_synset": _SYNSET,
    "alternatives": _PLACE,
    "method": Rule(choices=SEARCH_METHODS),
    "source_mask_area": _OPTIONAL_SHARE,
    "source_mask_confidence": _OPTIONAL_SHARE,
    "target_mask_area": _OPTIONAL_SHARE,
    "target_mask_confidence": _OPTIONAL_SHARE,
    "mask_status": Rule(choices=("computed", "not_computed")),
    "score_retrieval": _COSINE,
    "score_rank": Rule(nullable=True, least=0),
    "score_margin": Rule(nullable=True, least=0, most=2, slack=_ROUNDING),
    "score_text_image_source": _COSINE,
    "score_text_image_target": _COSINE,
    "score_directional": _COSINE,
    "score_image_image": _COSINE,
    "score_structure": Rule(nullable=True, least=0, most=1, slack=_ROUNDING),
    "score_new_word": _TRUTH,
    "score_old_word": _TRUTH,
    "score_rest": _OPTIONAL_SHARE,
    "score_source_confidence": _OPTIONAL_SHARE,
    "score_target_confidence": _OPTIONAL_SHARE,
    "source_key": _NAME,
    "source_shard": _NAME,
    "source_position": _PLACE,
    "source_reference": _NAME,
    "source_sha256": _SHA256,
    "source_width": _SIDE,
    "source_height": _SIDE,
    "source_alt_text": _NULLABLE,
    "source_caption_confidence": _OPTIONAL_SHARE,
    "source_url": _URL,
    "source_licence": _SAID_TEXT,
    "source_nsfw": _NULLABLE,
    "source_watermark": _AS_FOUND,
    "source_language": _SAID_TEXT,
    "source_similarity": _AS_FOUND,
    "target_row": _PLACE,
    "target_key": _NAME,
    "target_reference": _NAME,
    "target_sha256": _SHA256,
    "target_caption": _TEXT,
    "target_caption_confidence": _OPTIONAL_SHARE,
    "target_url": _URL,
    "target_licence": _SAID_TEXT,
    "target_nsfw": _NULLABLE,
    "target_watermark": _AS_FOUND,
    "target_language": _SAID_TEXT,
    "target_similarity": _AS_FOUND,
    "split": replace(_IDENTIFIER, nullable=True),
    "source_group": _GROUP,
    "target_group": _GROUP,
    "target_width": replace(_SIDE, nullable=True),
    "target_height": replace(_SIDE, nullable=True),
    "source_sharpness": _OPTIONAL_AMOUNT,
    "source_flat": _OPTIONAL_SHARE,
    "source_text": _OPTIONAL_SHARE,
    "source_aesthetic": _AS_FOUND,
    "target_sharpness": _OPTIONAL_AMOUNT,
    "target_flat": _OPTIONAL_SHARE,
    "target_text": _OPTIONAL_SHARE,
    "target_aesthetic": _AS_FOUND,
}
"""The rule of each column of the pairs but the pictures', and of the candidates by their names in
the pairs."""

REJECT_RULES: dict[str, Rule] = {
    **RULES,
    "shard": _NAME,
    "position": _PLACE,
    "stage": _IDENTIFIER,
    "reason": _IDENTIFIER,
    "detail": _TEXT,
    "number": replace(_PLACE, nullable=True),
    "caption": _NULLABLE,
    "edit_prompt": _NULLABLE,
    "target_key": replace(_NAME, nullable=True),
}
"""The same of the rejects, where a whole picture has neither edit nor words."""

Breach = tuple[int, str]
"""The place of a value, and the rule it breaks with what it is."""


def find_breaches(name: str, column: pa.Array, rule: Rule) -> Iterator[Breach]:
    """The values of a column that break its rule."""
    if column.null_count and not rule.nullable:
        for place in _places(pc.is_null(column)):
            yield place, f"{name} must not be null"
    if rule.choices:
        allowed = pa.array(rule.choices, column.type)
        wrong = pc.and_(pc.invert(pc.is_in(column, allowed)), pc.is_valid(column))
        said = f"{name} must be {' or '.join(map(str, rule.choices))}"
        yield from _wrong(column, wrong, said)
    elif pa.types.is_string(column.type):
        yield from _text_breaches(name, column, rule)
    else:
        yield from _number_breaches(name, column, rule)


def _number_breaches(name: str, column: pa.Array, rule: Rule) -> Iterator[Breach]:
    right = pc.is_finite(column) if pa.types.is_floating(column.type) else pc.is_valid(column)
    if rule.least is not None:
        right = pc.and_(right, pc.greater_equal(column, rule.least - rule.slack))
    if rule.most is not None:
        right = pc.and_(right, pc.less_equal(column, rule.most + rule.slack))
    yield from _wrong(column, pc.invert(right), f"{name} must be {rule.range}")


def _text_breaches(name: str, column: pa.Array, rule: Rule) -> Iterator[Breach]:
    too_long = pc.greater(pc.binary_length(column), rule.most_bytes)
    yield from _wrong(column, too_long, f"{name} must have at most {rule.most_bytes} bytes")
    if rule.pattern:
        wanted = re.compile(rule.pattern)
        for place, text in enumerate(column.to_pylist()):
            if text is not None and wanted.fullmatch(text) is None:
                yield place, f"{name} must be {rule.words}, got {shown(text)}"


def _wrong(column: pa.Array, wrong: pa.Array, said: str) -> Iterator[Breach]:
    for place in _places(wrong):
        yield place, f"{said}, got {shown(column[place].as_py())}"


def _places(chosen: pa.Array) -> list[int]:
    """Where `chosen` is true."""
    places: list[int] = pc.indices_nonzero(pc.fill_null(chosen, fill_value=False)).to_pylist()
    return places
