"""What tables of pictures call their columns, and one row of such a table as a record.

Releases of LAION and of img2dataset differ in names and number types. A field is looked for under
each of its names, exactly as written here; a column of another type than the field can take is an
error and not a guess. Columns nobody asks for are left alone. NaN, which is what pandas makes of a
text that is missing, is no value.
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal

import pyarrow as pa

from transforms.pictures.decoding import PictureError, PictureLimits, normalise
from transforms.protocols import SourceError
from transforms.record import Reject, SourceImage
from transforms.sources.captions_file import join_captions
from transforms.sources.texts import MAX_TEXT_BYTES, clean_text, printable

TEXT = "text"
NUMBER = "a number"
TEXT_OR_NUMBER = "text or a number"
BINARY = "binary"

FIELDS: dict[str, tuple[tuple[str, ...], str]] = {
    "key": (("key",), TEXT),
    "url": (("url", "URL"), TEXT),
    "caption": (("caption", "TEXT", "text"), TEXT),
    "status": (("status",), TEXT),
    "error_message": (("error_message",), TEXT),
    "reject_reason": (("reject_reason",), TEXT),
    "licence": (("LICENSE", "license", "licence"), TEXT),
    "nsfw": (("NSFW", "nsfw", "punsafe"), TEXT_OR_NUMBER),
    "watermark": (("pwatermark", "watermark"), NUMBER),
    "language": (("LANGUAGE", "language"), TEXT),
    "similarity": (("similarity",), NUMBER),
    "jpg": (("jpg",), BINARY),
    "jpeg": (("jpeg",), BINARY),
    "png": (("png",), BINARY),
    "webp": (("webp",), BINARY),
}
"""Field -> (the names it goes by, what it holds)."""

PICTURE_FIELDS = ("jpg", "jpeg", "png", "webp")
_REASON = re.compile(r"[a-z][a-z0-9_]{0,63}")


@dataclass(frozen=True)
class Place:
    """Where a row stands: its shard, its number there, and the reference that finds it again."""

    shard: str
    position: int
    reference: str


@dataclass(frozen=True)
class TooLarge:
    """Stands for a text or file of `size` bytes that is more than is read."""

    size: int


def find_columns(
    schema: pa.Schema,
    fields: tuple[str, ...],
    file: str,
    *,
    is_empty: Callable[[str], bool] | None = None,
) -> dict[str, str]:
    """Which of `fields` the table has, with the name of the column.

    `is_empty(name)` looks whether a column of numbers holds none, only nulls and NaN: then it is
    taken for a text column without texts, which is left out. Without it such a column is an error.

    Raises:
        SourceError: a column is there but holds something else, or is there twice.
    """
    found: dict[str, str] = {}
    for field in fields:
        names, kind = FIELDS[field]
        name = next((name for name in names if name in schema.names), None)
        if name is None:
            continue
        if schema.names.count(name) > 1:
            raise SourceError(f"{file}: column {name} is there more than once")
        arrow_type = schema.field(name).type
        if _holds(arrow_type, kind):
            found[field] = name
            continue
        optional = kind == TEXT and field != "key" and pa.types.is_floating(arrow_type)
        if not (optional and is_empty is not None and is_empty(name)):
            raise SourceError(f"{file}: column {name} must hold {kind}, it holds {arrow_type}")
    return found


def _holds(arrow_type: pa.DataType, kind: str) -> bool:
    if pa.types.is_dictionary(arrow_type):
        arrow_type = arrow_type.value_type
    if kind == BINARY and holds_files(arrow_type):
        arrow_type = arrow_type.field("bytes").type
    types = pa.types
    text = any(is_(arrow_type) for is_ in (types.is_string, types.is_large_string))
    text = text or types.is_string_view(arrow_type)
    number = any(is_(arrow_type) for is_ in (types.is_floating, types.is_integer, types.is_decimal))
    binary = any(is_(arrow_type) for is_ in (types.is_binary, types.is_large_binary))
    binary = binary or types.is_binary_view(arrow_type)
    fits = {TEXT: text, NUMBER: number, TEXT_OR_NUMBER: text or number, BINARY: binary}[kind]
    return bool(fits or types.is_null(arrow_type))


def holds_files(arrow_type: pa.DataType) -> bool:
    """Whether a column holds what Hugging Face's `Image` does: a struct with the field `bytes`."""
    is_struct = bool(pa.types.is_struct(arrow_type))
    return is_struct and [field.name for field in arrow_type].count("bytes") == 1


def read_rows(table: pa.Table | pa.RecordBatch) -> list[dict[str, object]]:
    """The rows of `table` as plain values; a byte that makes a text no UTF-8 is read as U+FFFD."""
    columns = [_values(table.column(place)) for place in range(table.num_columns)]
    return [dict(zip(table.schema.names, row, strict=True)) for row in zip(*columns, strict=True)]


def _values(column: pa.Array | pa.ChunkedArray) -> list[object]:
    try:
        values: list[object] = column.to_pylist()
        return values
    except UnicodeDecodeError:
        # Arrow takes a writer's word for it that text is UTF-8; not every writer's is good.
        return [read_value(value) for value in column]


def read_value(value: pa.Scalar, *, most_bytes: int | None = None) -> object:
    """One value as a plain one, None for NaN; a text or file of more than `most_bytes` is not read.

    Of a struct that holds a file, the file.
    """
    if value is not None and pa.types.is_dictionary(value.type):
        value = value.value
    if value is not None and holds_files(value.type):
        value = value["bytes"] if value.is_valid else None
    if value is None or not value.is_valid:
        return None
    if not hasattr(value, "as_buffer"):
        plain = value.as_py()
        plain = float(plain) if isinstance(plain, Decimal) else plain
        return None if _is_nan(plain) else plain
    buffer = value.as_buffer()
    if most_bytes is not None and buffer.size > most_bytes:
        return TooLarge(buffer.size)
    data = buffer.to_pybytes()
    return data if "binary" in str(value.type) else data.decode("utf-8", "replace")


def from_mapping(values: Mapping[str, object]) -> dict[str, object]:
    """The fields of one row that came without a schema, such as a JSON file.

    A caption may be a list of them, which is a tuple here.

    Raises:
        PictureError: `broken_metadata`, a value is of another type than its field can take;
            `too_long_text`.
    """
    row: dict[str, object] = {}
    for field, (names, kind) in FIELDS.items():
        found = (name for name in names if not _is_absent(values.get(name)))
        name = next(found, None)
        if name is None or kind == BINARY:
            continue
        value = values[name]
        text = isinstance(value, str)
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if field == "caption" and isinstance(value, list) and _is_texts(value):
            texts = tuple(str(each).encode("utf-8", "replace").decode() for each in value)
            row[field] = texts
            check_length(name, "".join(texts))
            continue
        if not {TEXT: text, NUMBER: number, TEXT_OR_NUMBER: text or number}[kind]:
            raise PictureError(
                "broken_metadata", f"{name} must hold {kind}, it holds {value!r:.80}"
            )
        # JSON can spell half of a surrogate pair, which is no text that could be written down.
        row[field] = value.encode("utf-8", "replace").decode() if isinstance(value, str) else value
        check_length(name, row[field])
    return row


def check_length(name: str, value: object) -> None:
    """Make sure that a text is not longer than any text that means something.

    Raises:
        PictureError: `too_long_text`, it has more than 65 536 bytes.
    """
    size = len(value.encode()) if isinstance(value, str) else 0
    size = value.size if isinstance(value, TooLarge) else size
    if size > MAX_TEXT_BYTES:
        raise PictureError(
            "too_long_text", f"{name} has {size} bytes, at most {MAX_TEXT_BYTES} are read"
        )


def failure(key: str, place: Place, row: Mapping[str, object]) -> Reject | None:
    """The reject of a row that says itself that its picture could not be had, else None."""
    status = row.get("status") or "success"
    if status == "success":
        return None
    reason, said = row.get("reject_reason") or status, row.get("error_message") or status
    if isinstance(said, TooLarge):
        said = f"its message has {said.size} bytes, at most {MAX_TEXT_BYTES} are read"
    reason = str(reason)
    return reject(
        key,
        place,
        reason if _REASON.fullmatch(reason) else "failed",
        clean_text(str(said)) or "",
    )


def reject(key: str, place: Place, reason: str, detail: str) -> Reject:
    """A reject of the Read stage; `detail` becomes one line."""
    return Reject(
        key=key,
        shard=place.shard,
        position=place.position,
        stage="read",
        reason=reason,
        detail=printable(detail),
    )


def picture(
    key: str, place: Place, data: bytes, row: Mapping[str, object], limits: PictureLimits
) -> SourceImage | Reject:
    """The record of a row whose file is `data`, or the reject that says what is wrong with it."""
    try:
        done = normalise(data, limits)
    except PictureError as error:
        return reject(key, place, error.reason, error.detail)
    nsfw = row.get("nsfw")
    return SourceImage(
        key=key,
        shard=place.shard,
        position=place.position,
        reference=place.reference,
        content_sha256=done.sha256,
        width=done.width,
        height=done.height,
        image=done.bytes,
        alt_text=_told(row.get("caption")),
        url=_text(row.get("url")),
        licence=_text(row.get("licence")),
        nsfw=None if _is_nan(nsfw) else _text(nsfw),
        watermark=_number(row.get("watermark")),
        language=_text(row.get("language")),
        similarity=_number(row.get("similarity")),
    )


def _told(value: object) -> str | None:
    return join_captions(value) if isinstance(value, tuple) else clean_text(str(value or ""))


def _is_texts(values: list[object]) -> bool:
    return bool(values) and all(isinstance(each, str) for each in values)


def _text(value: object) -> str | None:
    return None if value is None else printable(str(value))


def _number(value: object) -> float | None:
    """A number that can be written down; None for anything else."""
    if not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _is_absent(value: object) -> bool:
    return value is None or _is_nan(value)


def _is_nan(value: object) -> bool:
    return isinstance(value, float) and math.isnan(value)
