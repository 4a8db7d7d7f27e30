"""What tables of pictures call their columns, and one row of such a table as a record.

Releases of LAION and of img2dataset differ in names and number types. A field is looked for under
each of its names, exactly as written here; a column of another type than the field can take is an
error and not a guess. Columns nobody asks for are left alone.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

from transforms.pictures.decoding import PictureError, PictureLimits, normalise
from transforms.protocols import SourceError
from transforms.record import Reject, SourceImage

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


def find_columns(schema: pa.Schema, fields: tuple[str, ...], file: str) -> dict[str, str]:
    """Which of `fields` the table has, with the name of the column.

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
        if not _holds(schema.field(name).type, kind):
            raise SourceError(
                f"{file}: column {name} must hold {kind}, it holds {schema.field(name).type}"
            )
        found[field] = name
    return found


def _holds(arrow_type: pa.DataType, kind: str) -> bool:
    if pa.types.is_dictionary(arrow_type):
        arrow_type = arrow_type.value_type
    text = pa.types.is_string(arrow_type) or pa.types.is_large_string(arrow_type)
    number = pa.types.is_floating(arrow_type) or pa.types.is_integer(arrow_type)
    binary = pa.types.is_binary(arrow_type) or pa.types.is_large_binary(arrow_type)
    fits = {TEXT: text, NUMBER: number, TEXT_OR_NUMBER: text or number, BINARY: binary}[kind]
    return bool(fits or pa.types.is_null(arrow_type))


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
        whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
        if pa.types.is_dictionary(whole.type):
            whole = whole.dictionary_decode()
        found = whole.cast(pa.large_binary()).to_pylist()
        return [None if data is None else data.decode("utf-8", "replace") for data in found]


def from_mapping(values: Mapping[str, object]) -> dict[str, object]:
    """The fields of one row that came without a schema, such as a JSON file.

    Raises:
        PictureError: `broken_metadata`, a value is of another type than its field can take.
    """
    row: dict[str, object] = {}
    for field, (names, kind) in FIELDS.items():
        name = next((name for name in names if values.get(name) is not None), None)
        if name is None or kind == BINARY:
            continue
        value = values[name]
        text = isinstance(value, str)
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not {TEXT: text, NUMBER: number, TEXT_OR_NUMBER: text or number}[kind]:
            raise PictureError("broken_metadata", f"{name} must hold {kind}, it holds {value!r}")
        # JSON can spell half of a surrogate pair, which is no text that could be written down.
        row[field] = value.encode("utf-8", "replace").decode() if isinstance(value, str) else value
    return row


def failure(key: str, place: Place, row: Mapping[str, object]) -> Reject | None:
    """The reject of a row that says itself that its picture could not be had, else None."""
    status = row.get("status") or "success"
    if status == "success":
        return None
    reason = str(row.get("reject_reason") or status)
    return reject(
        key,
        place,
        reason if _REASON.fullmatch(reason) else "failed",
        " ".join(str(row.get("error_message") or status).split()),
    )


def reject(key: str, place: Place, reason: str, detail: str) -> Reject:
    """A reject of the Read stage."""
    return Reject(
        key=key,
        shard=place.shard,
        position=place.position,
        stage="read",
        reason=reason,
        detail=detail,
    )


def picture(
    key: str, place: Place, data: bytes, row: Mapping[str, object], limits: PictureLimits
) -> SourceImage | Reject:
    """The record of a row whose file is `data`, or the reject that says what is wrong with it."""
    try:
        done = normalise(data, limits)
    except PictureError as error:
        return reject(key, place, error.reason, error.detail)
    nsfw, watermark = row.get("nsfw"), row.get("watermark")
    return SourceImage(
        key=key,
        shard=place.shard,
        position=place.position,
        reference=place.reference,
        content_sha256=done.sha256,
        width=done.width,
        height=done.height,
        image=done.bytes,
        alt_text=" ".join(str(row.get("caption") or "").split()) or None,
        url=_text(row.get("url")),
        licence=_text(row.get("licence")),
        nsfw=None if _is_nan(nsfw) else _text(nsfw),
        watermark=float(watermark)
        if isinstance(watermark, int | float) and not _is_nan(watermark)
        else None,
    )


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _is_nan(value: object) -> bool:
    return isinstance(value, float) and math.isnan(value)
