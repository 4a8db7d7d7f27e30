"""What the captions of a pool say of the words that may be put into a caption.

How often a word occurs, and in what company: which words stand around a noun, and which words occur
in the same caption at all. Words are told apart by their spelling alone, so that a hundred thousand
captions are counted in seconds; a noun and its plural are one, and so are the forms of a verb, as
far as their endings tell.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice

from indexes.captions import caption_words
from transforms.words.gate import why_no_caption
from transforms.words.inflection import plural
from transforms.words.lexicon import Lexicon
from transforms.words.senses import stem
from transforms.words.vocabulary import DETERMINERS, FUNCTION_WORDS, NUMBERS, QUANTIFIERS

MOST_CAPTIONS = 100_000
"""No more captions of a pool are counted in company: enough for every word that is common in it."""

JUDGED_CAPTIONS = 2_000
"""So many of a pool's captions are asked whether they are captions at all."""

MIXED = 0.05
"""A pool of which more than this share describes no pictures is of texts from anywhere."""

MOST_RATES = 200_000
"""So many rates of families are kept rather than summed again."""

PRIOR = 0.5
"""So many sightings a word is believed to have in any company, before it is seen in it."""

AUXILIARIES = frozenset({"is", "are", "was", "were", "be", "being", "been", "has", "have", "had"})

Company = tuple[str, ...]
"""Something that stands by a noun: on which side, what joins them, and which word it is."""


@dataclass(frozen=True)
class PoolWords:
    """Counts over a pool's captions.

    Args:
        captions: in how many captions each lower-cased word occurs.
        mentions: how often each noun of the word table is mentioned, by its entry, and each
            adjective right before such a noun.
        company: how often each noun is mentioned in each company, see `companies`; and each
            adjective before each noun, as `("=", noun)`.
        breadth: how many different nouns are mentioned in each company.
        forms: the forms of nouns that mentions are told by, see `noun_forms`.
        mixed: whether many of the captions are none: texts from anywhere, in which words stand
            beside one another for other reasons than in pictures.
    """

    captions: Mapping[str, int]
    mentions: Mapping[str, int] = field(default_factory=dict)
    company: Mapping[tuple[str, Company], int] = field(default_factory=dict)
    forms: Mapping[tuple[str, ...], str] = field(default_factory=dict)
    breadth: Mapping[Company, int] = field(default_factory=dict)
    mixed: bool = False
    _rates: dict[tuple[tuple[str, ...], Company], float] = field(default_factory=dict, repr=False)

    def log_ratio(self, lemma: str, company: Company, family: tuple[str, ...]) -> float:
        """How much more, or less, often than its family `lemma` is seen in `company`; a logarithm.

        The mean of a Poisson rate under a gamma prior of `PRIOR` sightings around the family's
        rate: 0 where the family is never seen there, or `lemma` too seldom to tell.

        Args:
            lemma: an entry of the table.
            company: what stands by it.
            family: the entries that it is compared with, itself and the word it replaces among
                them.
        """
        rate = self._rates.get((family, company))
        if rate is None:
            sightings = sum(self.company.get((one, company), 0) for one in family)
            rate = sightings / max(1, sum(self.mentions.get(one, 0) for one in family))
            if len(self._rates) < MOST_RATES:
                self._rates[family, company] = rate
        if not rate:
            return 0.0
        expected = self.mentions.get(lemma, 0) * rate
        found = self.company.get((lemma, company), 0)
        return math.log((found + PRIOR) / (expected + PRIOR))


def count_pool(
    captions: Iterable[str], lexicon: Lexicon, *, words: Mapping[str, int] | None = None
) -> PoolWords:
    """The counts of `captions`, of which the first `MOST_CAPTIONS` are counted in company.

    `words` are the counts of words in all captions where they are known already.
    """
    forms = noun_forms(lexicon)
    seen: Counter[str] = Counter()
    mentions: Counter[str] = Counter()
    company: Counter[tuple[str, Company]] = Counter()
    asked = none = 0
    for caption in islice(captions, MOST_CAPTIONS):
        if asked < JUDGED_CAPTIONS:
            asked, none = asked + 1, none + bool(why_no_caption(caption))
        spelled = caption_words(caption)
        if words is None:
            seen.update(set(spelled))
        joined = join_entries(spelled, forms)
        for place, (word, lemma) in enumerate(joined):
            if lemma:
                mentions[lemma] += 1
                company.update((lemma, each) for each in companies(joined, place, lexicon))
            for adjective in _adjectives_before(joined, place, lexicon):
                mentions[adjective] += 1
                company[adjective, ("=", lemma or key(word))] += 1
    breadth = Counter(each for _, each in company)
    mixed = none > MIXED * asked
    return PoolWords(seen if words is None else words, mentions, company, forms, breadth, mixed)


def noun_forms(lexicon: Lexicon) -> dict[tuple[str, ...], str]:
    """Every form of the listed nouns, as its words, with the entry that it is a form of."""
    forms: dict[tuple[str, ...], str] = {}
    for lemma in sorted(lexicon.listed_nouns):
        name = lemma.replace("_", " ")
        if all(sense.countability != "plural" for sense in lexicon.nouns[lemma]):
            forms.setdefault(tuple(plural(name).split(" ")), lemma)
        forms[tuple(name.split(" "))] = lemma
    return forms


Joined = list[tuple[str, str]]
"""The words of a caption, listed compounds joined; and the table's entry of each, or nothing."""


def join_entries(words: Sequence[str], forms: Mapping[tuple[str, ...], str]) -> Joined:
    """`words` with each listed noun, of one word or two, named by its entry."""
    joined: Joined = []
    place = 0
    while place < len(words):
        pair = forms.get((words[place], words[place + 1])) if place + 1 < len(words) else None
        if pair is not None:
            joined.append((f"{words[place]} {words[place + 1]}", pair))
            place += 2
        else:
            joined.append((words[place], forms.get((words[place],), "")))
            place += 1
    return joined


def companies(joined: Joined, place: int, lexicon: Lexicon) -> list[Company]:
    """In what company the noun at `place` stands.

    `("<", "on", "sit")` after "sitting on a", `("<", "on")` after "on" whatever comes before it,
    `(">", "", "run")` before "runs", `("=", "little")` after "little", and `("~", "frisbee")` where
    the caption has a frisbee.
    """
    joints, before = _neighbour(joined, place, -1, lexicon)
    found: list[Company] = [("<", joints)] if joints else []
    if before:
        found.append(("<", joints, before))
    joints, after = _neighbour(joined, place, 1, lexicon)
    if after:
        found.append((">", joints, after))
    found += [("=", each) for each in _adjectives_before(joined, place, lexicon)]
    around = {key(word, lemma) for at, (word, lemma) in enumerate(joined) if at != place}
    return found + [("~", word) for word in sorted(around) if word]


def _adjectives_before(joined: Joined, place: int, lexicon: Lexicon) -> list[str]:
    """The adjectives right before the word at `place`, where that is none itself."""
    word, lemma = joined[place]
    if word in FUNCTION_WORDS or (word in lexicon.adjectives and not lemma):
        return []
    found = []
    for before, _ in joined[:place][::-1]:
        if before not in lexicon.adjectives:
            break
        found.append(before)
    return found


def _neighbour(joined: Joined, place: int, step: int, lexicon: Lexicon) -> tuple[str, str]:
    """The function words to one side of a noun, and the first word beyond them."""
    joints: list[str] = []
    at = place + step
    while 0 <= at < len(joined):
        word, lemma = joined[at]
        if word in FUNCTION_WORDS or word in AUXILIARIES:
            if word not in AUXILIARIES:
                joints.append(word)
        elif word not in _PASSED and (lemma or word not in lexicon.adjectives):
            return " ".join(joints[::step]), key(word, lemma)
        at += step
    return " ".join(joints[::step]), ""


_PASSED = DETERMINERS | NUMBERS | QUANTIFIERS


@lru_cache(maxsize=65_536)
def key(word: str, lemma: str = "") -> str:
    """What the forms of a word have in common; empty for words that say nothing by themselves."""
    if lemma:
        return lemma
    if len(word) < 3 or word in FUNCTION_WORDS or word in _PASSED or word in AUXILIARIES:
        return ""
    root = stem(word)
    if len(root) > 3 and root[-1] == root[-2]:  # sitting, running
        root = root[:-1]
    return root.removesuffix("e")
