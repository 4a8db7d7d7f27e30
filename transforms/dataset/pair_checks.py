"""One row of the pairs: its pictures, its masks, and what its columns say of one another."""

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from transforms.dataset.reader import PSEUDO_TARGET_IMAGE, SOURCE_IMAGE
from transforms.dataset.schema import MASK_COMPUTED
from transforms.pictures.decoding import PictureError, decode_stored
from transforms.pictures.limits import STORED_LIMITS, PictureLimits
from transforms.pictures.masks import MaskError, decode_mask

_SIDES = ((SOURCE_IMAGE, "source"), (PSEUDO_TARGET_IMAGE, "target"))
_SIGNS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF")
_PNG_SIZE = slice(16, 24)  # width and height, in the first chunk of a PNG file
_SAME_AREA = 1e-9
_SAME_CONFIDENCE = 1e-6
"""Confidences are kept as float32 among the scores."""


def picture_bytes_problem(picture: Mapping[str, Any] | None, *, optional: bool) -> str | None:
    """What is wrong with the value of a picture column, not looking into the picture."""
    if picture is None:
        return None if optional else "there is no picture"
    if picture["bytes"] is None:
        return "there is no picture"
    if picture["path"] is not None:
        return "it must hold a picture and no path"
    return None


def check_pair(row: Mapping[str, Any], limits: PictureLimits = STORED_LIMITS) -> Iterator[str]:
    """What is wrong with a row of the pairs whose columns each keep their rules.

    `limits` are those of the data set's pictures.
    """
    if row["target_key"] == row["source_key"]:
        yield "the target must be another picture than the source, has its key"
    if row["target_sha256"] == row["source_sha256"]:
        yield "the target must be another picture than the source, has its bytes"
    for side in ("source", "target"):
        yield from _confidence_problems(row, side)
    yield from _mask_status_problems(row)
    for column, side in _SIDES:
        problem = _side_problem(row, column, side, limits=limits)
        if problem:
            yield f"{column}: {problem}"


def _confidence_problems(row: Mapping[str, Any], side: str) -> Iterator[str]:
    score, own = row[f"score_{side}_confidence"], row[f"{side}_caption_confidence"]
    if score is not None and (own is None or abs(score - own) > _SAME_CONFIDENCE):
        yield f"score_{side}_confidence must be {side}_caption_confidence, got {score} and {own}"


def _mask_status_problems(row: Mapping[str, Any]) -> Iterator[str]:
    computed = row["mask_status"] == MASK_COMPUTED
    for side in ("source", "target"):
        values = [row[f"{side}_mask{end}"] for end in ("", "_area", "_confidence")]
        if any((value is not None) != computed for value in values):
            yield (
                f"{side}_mask, its area and its confidence must be there exactly if mask_status "
                f"is {MASK_COMPUTED}"
            )


def _side_problem(
    row: Mapping[str, Any], column: str, side: str, *, limits: PictureLimits
) -> str | None:
    """What is wrong with one picture and its mask, in one line."""
    data: bytes = row[column]["bytes"]
    sha256 = row[f"{side}_sha256"]
    if hashlib.sha256(data).hexdigest() != sha256:
        return f"its SHA-256 must be {sha256}"
    if not data.startswith(_SIGNS):
        return "it must be a JPEG, PNG or WebP file"
    try:
        size = decode_stored(data, limits).size
    except PictureError as error:
        return f"it cannot be decoded: {error}"
    if side == "source" and size != (row["source_width"], row["source_height"]):
        return f"its size must be {row['source_width']} x {row['source_height']}, got {size}"
    mask = row[f"{side}_mask"]
    if mask is None:
        return None
    area, confidence = row[f"{side}_mask_area"], row[f"{side}_mask_confidence"]
    return mask_problem(mask["bytes"], size, area=area, confidence=confidence)


def mask_problem(
    data: bytes, size: tuple[int, int], *, area: float | None, confidence: float | None
) -> str | None:
    """What is wrong with the mask of a picture of `size`; its area and confidence where given."""
    if data.startswith(_SIGNS[1]) and len(data) >= _PNG_SIZE.stop:
        claimed = data[_PNG_SIZE]
        found = int.from_bytes(claimed[:4]), int.from_bytes(claimed[4:])
        if found != size:
            return f"its mask must be of size {size}, its picture's, got {found}"
    try:
        pixels = np.asarray(decode_mask(data, size))
    except MaskError as error:
        return f"its {error}"
    marked = int(np.count_nonzero(pixels == 255))
    if marked + int(np.count_nonzero(pixels == 0)) != pixels.size:
        return "its mask must be 0 or 255 everywhere"
    share = marked / pixels.size
    if area is not None and abs(area - share) > _SAME_AREA:
        return f"its mask's area must be {share:.6g}, what is marked, got {area:.6g}"
    if not marked and confidence:
        return f"the confidence of an empty mask must be 0, got {confidence:.6g}"
    return None
