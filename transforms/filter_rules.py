"""Rules of filters: what a picture must be, in words that a person can write on one line.

A rule is about one value of a picture (`VALUES`). `>=0.4` and `<=3` bound a number; `a,b,c` are
the only texts that pass and `!a,b` those that do not; a `?` at the end lets pictures pass of which
nobody knows the value. Texts are compared without regard to case.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from indexes.errors import PairloomError

SAID = ("licence", "nsfw", "watermark", "language", "similarity")
"""What a source says of its pictures, LAION's columns for one."""
MEASURED = ("width", "height", "aspect", "sharpness", "flat", "text", "aesthetic")
"""What is measured on it; see `transforms.pictures.quality` and `transforms.aesthetics`."""
VALUES = (*SAID, *MEASURED)
KNOWN_OF_SOURCES = (*SAID, "width", "height", "aspect")
"""What is known of a picture as soon as it is read, before any network looks at it."""
TEXTS = ("licence", "nsfw", "language")
"""Values that are texts; `nsfw` may be a number as well, as LAION's `punsafe`."""
_ONLY_TEXTS = ("licence", "language")

SOURCE_FILTERS = "source_filters"
"""Under this name an index, and a data set's options, have the rules that sources were held to."""

Value = str | float | None


class FilterRuleError(PairloomError):
    """A rule that says nothing, in one line."""


@dataclass(frozen=True, kw_only=True)
class FilterRule:
    """What one value must be: `text` is the rule as it was written.

    >>> from pairloom import FilterRule, read_rules
    >>> rule = read_rules(["sharpness=>=50"])["sharpness"]
    >>> isinstance(rule, FilterRule)
    True
    >>> rule.passes(80.0), rule.passes(20.0), rule.passes(None)
    (True, False, False)
    >>> read_rules(["licence=CC0,CC-BY-4.0"])["licence"].passes("cc0")
    True
    >>> read_rules(["nsfw=!NSFW?"])["nsfw"].passes(None)
    True
    """

    text: str
    least: float | None = None
    most: float | None = None
    among: tuple[str, ...] = ()
    outside: tuple[str, ...] = ()
    unknown_passes: bool = field(default=False)

    def passes(self, value: Value) -> bool:
        """Whether a picture of this value may stay."""
        if value is None or value == "":
            return self.unknown_passes
        if self.among or self.outside:
            low = str(value).strip().casefold()
            return low in self.among if self.among else low not in self.outside
        number = _number(value)
        if number is None:
            return False
        low_enough = self.most is None or number <= self.most
        return low_enough and (self.least is None or number >= self.least)


def read_rules(
    written: list[str] | tuple[str, ...], table: Mapping[str, Any] | None = None
) -> dict[str, FilterRule]:
    """Rules by the name of their value, from `NAME=RULE` and from a mapping of names to rules.

    What is `written` wins over the `table`, which is as a YAML file gives it: a rule in words, or a
    list of texts that pass. The rule `none` takes one away.

    Raises:
        FilterRuleError: there is no such value, or the rule says nothing of it.

    >>> from pairloom import read_rules
    >>> rules = read_rules(["flat=<=0.9"], {"flat": "<=0.5", "licence": ["CC0", "CC-BY-4.0"]})
    >>> rules["flat"].text, rules["licence"].text
    ('<=0.9', 'CC0,CC-BY-4.0')
    """
    found: dict[str, str] = {}
    for name, rule in (table or {}).items():
        said = rule if isinstance(rule, list) else [rule]
        if any(isinstance(each, bool) for each in said):
            raise FilterRuleError(
                f"filter {name}: a rule must be text, got {rule!r}: to YAML no, yes, on and off "
                "are truths, so that they need quotes"
            )
        found[str(name)] = ",".join(map(str, said))
    for each in written:
        name, equals, rule = each.partition("=")
        if not equals:
            raise FilterRuleError(f"a filter must be NAME=RULE, got {each!r}")
        found[name] = rule
    return {name: _read_rule(name, rule) for name, rule in found.items() if rule != "none"}


def rule_texts(rules: Mapping[str, FilterRule]) -> dict[str, str]:
    """The rules as they were written, by the name of their value: plain data."""
    return {name: rules[name].text for name in sorted(rules)}


def _read_rule(name: str, text: str) -> FilterRule:
    if name not in VALUES:
        raise FilterRuleError(f"a filter must be of one of {', '.join(VALUES)}, got {name!r}")
    unknown = text.endswith("?")
    body = text.removesuffix("?").strip()
    if body.startswith((">=", "<=")):
        number = _number(body[2:])
        if number is None or name in _ONLY_TEXTS:
            raise FilterRuleError(f"filter {name}: no number can be {text!r}")
        least, most = (number, None) if body[0] == ">" else (None, number)
        return FilterRule(text=text, least=least, most=most, unknown_passes=unknown)
    outside = body.startswith("!")
    names = tuple(each.strip().casefold() for each in body.removeprefix("!").split(","))
    if name not in TEXTS or not all(names):
        wanted = ">=N, <=N, A,B or !A,B" if name in TEXTS else ">=N or <=N"
        raise FilterRuleError(f"filter {name}: the rule must be {wanted}, got {text!r}")
    among, others = ((), names) if outside else (names, ())
    return FilterRule(text=text, among=among, outside=others, unknown_passes=unknown)


def read_source_rules(written: list[str] | tuple[str, ...]) -> dict[str, FilterRule]:
    """As `read_rules`, of `KNOWN_OF_SOURCES` alone.

    Raises:
        FilterRuleError: as `read_rules`, or a rule is of a value that has to be measured.
    """
    rules = read_rules(written)
    for name in rules:
        if name not in KNOWN_OF_SOURCES:
            raise FilterRuleError(
                f"a filter of sources must be of one of {', '.join(KNOWN_OF_SOURCES)}, got {name!r}"
            )
    return rules


def side_values(width: float, height: float) -> dict[str, Value]:
    """What the sides of a picture, both above 0, tell: themselves, and the longer over the shorter.

    >>> side_values(640, 480)["aspect"]
    1.3333333333333333
    """
    return {"width": width, "height": height, "aspect": max(width, height) / min(width, height)}


def find_fault(
    values: Mapping[str, Value], rules: Mapping[str, FilterRule]
) -> tuple[str, str] | None:
    """The reason and the detail of the first rule, by name, that a picture breaks; None if none."""
    for name in sorted(rules):
        value, rule = values.get(name), rules[name]
        if not rule.passes(value):
            got = (
                "nothing known" if value is None else f"{value:.6g}" if _is_float(value) else value
            )
            return f"{name}_filtered", f"{name} must be {rule.text}, got {got}"
    return None


def _is_float(value: Value) -> bool:
    return isinstance(value, float | int)


def _number(value: Value) -> float | None:
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None
