"""JSON that nobody vouches for: read strictly, and held against the shape it must have.

What passes here is plain data of the types that were asked for, so that the code behind it needs
no care: no repeated names, no NaN, no number beyond 64 bits, no text that is not Unicode.
"""

import json
import math
import re
from collections.abc import Callable, Mapping
from typing import Any

MOST_DEPTH = 64
LEAST_INTEGER, MOST_INTEGER = -(2**63), 2**63 - 1
_SHOWN = 80

Shape = Callable[[object, str], None]
"""Raises PlainDataError unless a value, which stands at a place, has the shape."""


class PlainDataError(ValueError):
    """Data that are not what they must be, in one line that names the place and the rule."""


def parse_json(data: bytes) -> Any:
    """The one JSON value in `data`, UTF-8 without a mark before it.

    Raises:
        PlainDataError: it is none, repeats a name, nests deeper than `MOST_DEPTH`, or holds NaN, a
            number beyond 64 bits or half a surrogate.
    """
    try:
        text = data.decode("utf-8")
        value = json.loads(
            text,
            object_pairs_hook=_object,
            parse_int=_integer,
            parse_float=_number,
            parse_constant=_constant,
        )
    except UnicodeDecodeError as error:
        raise PlainDataError(f"it must be UTF-8: {error.reason} at byte {error.start}") from error
    except json.JSONDecodeError as error:
        raise PlainDataError(f"it must be JSON: {error}") from error
    except RecursionError as error:
        raise PlainDataError(f"it must nest at most {MOST_DEPTH} deep") from error
    _check_depth_and_texts(value)
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise PlainDataError(f"a name must stand once in an object, {shown(name)} does not")
        found[name] = value
    return found


def _integer(text: str) -> int:
    if len(text) > 20 or not LEAST_INTEGER <= int(text) <= MOST_INTEGER:
        raise PlainDataError(f"whole numbers must have at most 64 bits, got {text[:_SHOWN]}")
    return int(text)


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise PlainDataError(f"numbers must be finite, got {text[:_SHOWN]}")
    return value


def _constant(text: str) -> float:
    raise PlainDataError(f"numbers must be finite, got {text}")


def _check_depth_and_texts(value: object) -> None:
    level = [value]
    for _ in range(MOST_DEPTH + 1):
        following: list[object] = []
        for each in level:
            if isinstance(each, str):
                _check_unicode(each)
            elif isinstance(each, dict):
                following += [*each, *each.values()]
            elif isinstance(each, list):
                following += each
        if not following:
            return
        level = following
    raise PlainDataError(f"it must nest at most {MOST_DEPTH} deep")


def _check_unicode(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise PlainDataError(f"texts must be Unicode, got {shown(text)}") from error


def shown(value: object) -> str:
    """A value as errors show it: its beginning, in ASCII, without control characters."""
    if isinstance(value, dict | list):
        return f"{'an object' if isinstance(value, dict) else 'a list'} of {len(value)}"
    text = ascii(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _refuse(place: str, rule: str, value: object) -> PlainDataError:
    return PlainDataError(f"{place or 'it'} must be {rule}, got {shown(value)}")


def whole(*, least: int = 0, most: int = MOST_INTEGER) -> Shape:
    """A whole number in [`least`, `most`]."""
    rule = f"a whole number >= {least}" if most == MOST_INTEGER else f"in [{least}, {most}]"

    def check(value: object, place: str) -> None:
        if type(value) is not int or not least <= value <= most:
            raise _refuse(place, rule, value)

    return check


def number(*, least: float = 0) -> Shape:
    """A number from `least`, whole or not."""

    def check(value: object, place: str) -> None:
        if type(value) not in (int, float) or not value >= least:  # type: ignore[operator]
            raise _refuse(place, f"a number >= {least:g}", value)

    return check


def text(pattern: str = r"(?s:.*)", rule: str = "a text") -> Shape:
    """A text that is as `pattern` says wholly; `rule` says so in words."""
    wanted = re.compile(pattern)

    def check(value: object, place: str) -> None:
        if not isinstance(value, str) or wanted.fullmatch(value) is None:
            raise _refuse(place, rule, value)

    return check


def optional(shape: Shape) -> Shape:
    """The shape, or null."""

    def check(value: object, place: str) -> None:
        if value is not None:
            shape(value, place)

    return check


def either(kinds: tuple[type, ...], rule: str) -> Shape:
    """A value of one of these types, whatever is in it."""

    def check(value: object, place: str) -> None:
        if not isinstance(value, kinds):
            raise _refuse(place, rule, value)

    return check


def every(shape: Shape) -> Shape:
    """A list whose items have the shape."""

    def check(value: object, place: str) -> None:
        if not isinstance(value, list | tuple):
            raise _refuse(place, "a list", value)
        for index, each in enumerate(value):
            shape(each, f"{place}[{index}]")

    return check


def mapping(shape: Shape, *, names: Shape | None = None) -> Shape:
    """An object whose values have the shape, and whose names that of `names`."""

    def check(value: object, place: str) -> None:
        if not isinstance(value, dict):
            raise _refuse(place, "an object", value)
        for name, each in value.items():
            if names is not None:
                names(name, f"a name in {place}")
            shape(each, f"{place}.{shown(name)[1:-1]}")

    return check


def fields(shapes: Mapping[str, Shape], *, optional: Mapping[str, Shape] | None = None) -> Shape:
    """An object that has exactly these fields, each of its shape; `optional` ones if it likes."""
    known = {**shapes, **(optional or {})}

    def check(value: object, place: str) -> None:
        if not isinstance(value, dict):
            raise _refuse(place, "an object", value)
        inside = f"{place}." if place else ""
        for name in shapes:
            if name not in value:
                raise PlainDataError(f"{inside}{name} is missing")
        for name, each in value.items():
            if name not in known:
                raise PlainDataError(f"{place or 'it'} must have no field {shown(name)}")
            known[name](each, f"{inside}{name}")

    return check


plain_object = either((dict,), "an object")
"""An object of whatever fields."""
