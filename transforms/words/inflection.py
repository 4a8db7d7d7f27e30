"""Number, article and capitals: an exchanged word must fit where the old one stood."""

from collections.abc import Callable, Container
from functools import lru_cache
from typing import Any, TypeVar

import typeguard

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])

# Plural forms that are also listed as words of their own keep their own meaning.
_IRREGULAR = {"people": "person", "men": "man", "women": "woman", "children": "child"}

# Where inflect gives the rarer form.
_PLURALS = {
    "burrito": "burritos",
    "flamingo": "flamingos",
    "avocado": "avocados",
    "tuxedo": "tuxedos",
}


@lru_cache(maxsize=1)
def _engine() -> Any:
    # typeguard, asked to by inflect, writes every function anew while inflect is imported, which
    # takes three seconds of every process. It would see to it that words are strings; they are.
    checked = typeguard.typechecked
    typeguard.typechecked = _unchecked  # type: ignore[assignment]
    try:
        import inflect
    finally:
        typeguard.typechecked = checked
    return inflect.engine()


def _unchecked(function: FunctionT) -> FunctionT:
    return function


@lru_cache(maxsize=4096)
def plural(phrase: str) -> str:
    """The plural of a singular noun or compound: bus -> buses, fire truck -> fire trucks."""
    *first, last = phrase.split(" ")
    return " ".join([*first, _PLURALS.get(last) or str(_engine().plural_noun(last))])


@lru_cache(maxsize=4096)
def _singular_guess(word: str) -> str | None:
    guess = _engine().singular_noun(word)
    return str(guess) if guess else None


def singular_forms(phrase: str) -> tuple[str, ...]:
    """Forms that `phrase` may be the plural of, the likelier first; it is not checked to be one.

    Only the last word of a compound changes. An ending alone does not tell (bus, glass), so the
    caller must look the forms up.
    """
    *first, last = phrase.split(" ")
    forms = [_IRREGULAR.get(last), _singular_guess(last)]
    if last.endswith("es"):
        forms += [last[:-2], last[:-1]]
    elif last.endswith("s"):
        forms.append(last[:-1])
    kept = dict.fromkeys(form for form in forms if form and form != last)
    return tuple(" ".join([*first, form]) for form in kept)


def lemma_of(
    phrase: str, known: Container[str], listed: Container[str] = ()
) -> tuple[str, bool] | None:
    """The entry of `known` that `phrase` is a form of, and whether it is its plural.

    A word that is itself known is taken as it stands (bus is no plural of "bu"), unless just its
    singular is in `listed`: WordNet has an entry "eggs" of its own. Entries have underscores
    between words.
    """
    entry = phrase.replace(" ", "_")
    singulars = [form.replace(" ", "_") for form in singular_forms(phrase)]
    for entries, plural_ones in (([entry], False), (singulars, True)):
        for one in entries:
            if one in listed:
                return one, plural_ones
    if entry in known:
        return entry, False
    return next(((one, True) for one in singulars if one in known), None)


@lru_cache(maxsize=4096)
def article(following: str) -> str:
    """`a` or `an`, by the sound of what follows."""
    return str(_engine().a(following)).split(" ", 1)[0].lower()


def match_case(word: str, pattern: str) -> str:
    """`word` with the capitals of `pattern`: all, the first, or none."""
    if len(pattern) > 1 and pattern.isupper():
        return word.upper()
    if pattern[:1].isupper():
        return word[:1].upper() + word[1:]
    return word
