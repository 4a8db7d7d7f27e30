"""Reads the hand-written list of everyday visible words (data_manifests/lexicon/words.txt)."""

import re
from dataclasses import dataclass

from indexes.errors import PairloomError

COUNTABILITY = {"": "count", "~": "mass", "%": "both", "+": "plural"}
_FAMILY = re.compile(r"\[noun ([a-z -]+?)(?: in ([a-z]+))?: ([^\]]+)\]$")
_GROUP = re.compile(r"\[adjective ([a-z]+)\]$")
_WIDER = re.compile(r"\[wider ([a-z]+): ([^\]]+)\]$")
_WORD = re.compile(r"([a-z_'-]+)(?:=([^~%+!\s]+))?([~%+]?)(!?)$")


class WordListError(PairloomError, ValueError):
    """A line of the word list that cannot be read, in one line that names it."""


@dataclass(frozen=True)
class ListedWord:
    """A word of the list: where it stands, the sense asked for, and how it may be used.

    `family` is a noun's family or an adjective's group, empty for adjectives that WordNet relates.
    """

    lemma: str
    family: str
    synset: str | None
    countability: str
    substitute: bool


@dataclass(frozen=True)
class Family:
    """Words that may take one another's place: their common ancestors in WordNet.

    `open_to` is the ancestor whose other hyponyms belong here too, or None.
    """

    name: str
    wider: str
    ancestors: tuple[str, ...]
    open_to: str | None


@dataclass(frozen=True)
class WordList:
    """The whole list, in its own order."""

    wider: dict[str, tuple[str, ...]]
    families: tuple[Family, ...]
    nouns: tuple[ListedWord, ...]
    adjectives: tuple[ListedWord, ...]
    compounds: tuple[str, ...]


def parse_word_list(text: str) -> WordList:
    """The word list in `text`; its syntax is explained at the head of the file itself.

    Raises:
        WordListError: a heading or a word is not written as explained there.
    """
    wider: dict[str, tuple[str, ...]] = {}
    families: list[Family] = []
    words: dict[str, list[ListedWord]] = {"noun": [], "adjective": [], "compound": []}
    part = group = ""
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        if found := _WIDER.match(stripped):
            wider[found[1]] = tuple(found[2].split())
        elif found := _FAMILY.match(stripped):
            families.append(_family(found, wider, number))
            part = "noun"
        elif found := _GROUP.match(stripped):
            part, group = "adjective", found[1]
        elif stripped in ("[adjective]", "[compound]"):
            part, group = stripped[1:-1], ""
        elif not part or stripped.startswith("["):
            raise WordListError(f"line {number}: a heading must come before words, got {stripped}")
        else:
            name = families[-1].name if part == "noun" else group
            words[part].extend(_word(token, name, number) for token in stripped.split())
    compounds = tuple(word.lemma for word in words["compound"])
    return WordList(
        wider, tuple(families), tuple(words["noun"]), tuple(words["adjective"]), compounds
    )


def _family(found: re.Match[str], wider: dict[str, tuple[str, ...]], number: int) -> Family:
    name, within, ancestors = found[1], found[2] or "", found[3].split()
    if within and within not in wider:
        raise WordListError(f"line {number}: {within} must be a [wider ...] heading further up")
    closed = ancestors[0] == "-"
    kept = tuple(ancestors[1:] if closed else ancestors)
    if not kept:
        raise WordListError(f"line {number}: family {name} must name at least one ancestor")
    return Family(name, within, kept, None if closed else kept[0])


def _word(token: str, family: str, number: int) -> ListedWord:
    found = _WORD.match(token)
    if found is None:
        raise WordListError(f"line {number}: {token} must be word[=synset][~%+][!]")
    lemma, synset, mark, source_only = found.groups()
    return ListedWord(lemma, family, synset, COUNTABILITY[mark], not source_only)
