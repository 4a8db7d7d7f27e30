"""How likely a pool's captions make a substitute where it would stand.

A noun is asked for beside each word that stands beside the one it replaces, and in a caption with
each other word of it; an adjective before its noun. What the whole family of words is seldom seen
with says nothing; what the family is often seen with and the substitute hardly ever speaks against
it. See `pool_words` for the counts.
"""

import math
from dataclasses import dataclass

from transforms.words.edits import CaptionReading
from transforms.words.lexicon import AdjectiveSense, NounSense, Substitute
from transforms.words.pool_words import Company, PoolWords, key
from transforms.words.spans import Span, Token

AROUND_WEIGHT = 0.5
"""What stands anywhere in a caption tells so much of what stands right beside the noun."""

LEAST_RATIO, LEAST_FREE, LEAST_BOUND, LEAST_WIDE = -1.0, -1.6, -1.1, 1.0
"""Logarithms below which a substitute is left out: for what stands right beside the word; and for
all of the caption, where its kind goes with most things, where it does not, and where the word is
of another family."""

FREE_KINDS = frozenset({"person", "clothing"})
"""Wide kinds whose words go with most of what is said of any of them. Others are put in only where
the pool shows them in one such company at least."""

LEAST_MENTIONS = 30
"""What the pool mentions less often than so takes no place of a word of another family."""

TELLING = 30
"""A word of another family must be seen in company that no more different nouns are seen in."""

BOUND_KINDS = frozenset({"scenery", "household", "eatables", "sights"})
"""Wide kinds that only a pool's captions allow: on a beach one does what one does in no kitchen."""

STRICT_FAMILIES = frozenset(
    {"grounds", "open places", "pets", "times of day", "seasons", "shops"}
    | {"players of games", "riders"}
)
"""Families that are so even where the company suits any noun: a dog does what no rabbit does."""

OFTEN = 3
"""A word that the pool has so often beside another goes with it, even if others go better."""

COMPOUND_OFTEN = 2
"""A word takes another's place in a compound that the pool has so often with it."""

FEWEST, MANY = 2, 8
"""Company that fewer different nouns are seen in is too rare to ask for; company of so many suits
any noun."""

BOUND_GROUPS = frozenset({"material", "ground", "hair", "bustle", "weather", "period"})
"""Adjectives that are put in only where the pool has them before that very noun."""

MIXED_NOUN_WEIGHT = 0.25
"""How often a thing is exchanged, beside what describes it, where the pool's texts are mixed: there
nouns of one family go wrong four times as often as adjectives and opposites."""

RISKY_WEIGHT = 0.4
"""How often scenery, household and words of other families are drawn beside safer exchanges."""

NO_POOL = "only the captions of a pool tell whether it fits"

PERSON_WEIGHT = 0.5
"""How often a person is exchanged beside a thing of the same caption: most have one."""


@dataclass(frozen=True)
class Plausibility:
    """What a pool says of a substitute: a logarithm of how likely, and why it is left out."""

    log_ratio: float = 0.0
    why_not: str = ""


def noun_plausibility(
    reading: CaptionReading,
    span: Span,
    sense: NounSense,
    lemma: str,
    family: tuple[str, ...],
    *,
    wide: bool = False,
) -> Plausibility:
    """What the pool says of the noun `lemma` in the place of the noun of `span`.

    Args:
        reading: the caption.
        span: the noun in it.
        sense: what is meant by it.
        lemma: the substitute.
        family: the entries that may stand there, the noun's own among them.
        wide: the substitute is of another family of the same wide kind, and must have been seen.
    """
    pool = reading.pool
    kind = reading.lexicon.wider.get(sense.family, "")
    if span.partner is not None and not _has_compound(reading, span, lemma):
        return Plausibility(why_not="the pool hardly has it in such a compound")
    if wide and (kind == "person" or sense.role == "known"):
        return Plausibility(why_not="it is of another family")
    if wide and pool is not None and 0 < pool.mentions.get(lemma, 0) < LEAST_MENTIONS:
        return Plausibility(why_not="the pool has it too seldom to tell")
    if pool is None and (kind in BOUND_KINDS or sense.family == "players of games"):
        return Plausibility(why_not=NO_POOL)
    if pool is None or not pool.company:
        return Plausibility()
    free = not wide and kind in FREE_KINDS and sense.family not in STRICT_FAMILIES
    found = reading.companies(span.own.lemma, span.own.word)
    if not found and not free:
        return Plausibility(why_not="the pool does not know what stands by it")
    least = OFTEN if wide else 2 if kind in BOUND_KINDS else 1
    total, asked, seen = 0.0, False, False
    for company in found:
        ratio = pool.log_ratio(lemma, company, family)
        if company[0] == "~":
            total += AROUND_WEIGHT * ratio
            continue
        often = pool.company.get((lemma, company), 0) >= OFTEN
        if ratio < (LEAST_FREE if free else LEAST_RATIO) and not often:
            return Plausibility(ratio, f"the pool hardly has it {_told(company)}")
        total += ratio
        if len(company) == 3 or company[0] == "=":
            telling = not wide or pool.breadth.get(company, 0) <= TELLING
            times = pool.company.get((lemma, company), 0)
            seen = seen or (telling and times >= least)
            asked = asked or FEWEST <= pool.breadth.get(company, 0) < MANY
    asked = asked or wide or pool.mixed or sense.family in STRICT_FAMILIES
    if asked and not seen and not free:
        return Plausibility(total, "the pool never has it in such company")
    if total < (LEAST_WIDE if wide else LEAST_FREE if free else LEAST_BOUND):
        return Plausibility(total, "the pool has it too seldom in such company")
    return Plausibility(total)


def _has_compound(reading: CaptionReading, span: Span, lemma: str) -> bool:
    """Whether the pool often has `lemma` right beside the other noun of the compound of `span`."""
    assert span.partner is not None
    if reading.pool is None:
        return False
    other = span.tokens[span.partner]
    name = key(other.word, other.lemma if other.lemma in reading.pool.mentions else "")
    company = (">" if span.modifies else "<", "", name)
    return reading.pool.company.get((lemma, company), 0) >= COMPOUND_OFTEN


def _told(company: Company) -> str:
    kind, *rest = company
    where = {"<": "after", ">": "before", "=": "after"}[kind]
    said = rest if kind == ">" else rest[::-1]
    return f"{where} {' '.join(word for word in said if word)!r}"


def adjective_plausibility(
    pool: PoolWords | None,
    sense: AdjectiveSense,
    lemma: str,
    noun: Token,
    family: tuple[str, ...],
    *,
    known: bool,
) -> Plausibility:
    """What the pool says of the adjective `lemma` before `noun`, which the table has if `known`."""
    if pool is None and sense.group in BOUND_GROUPS - {"hair"}:
        return Plausibility(why_not=NO_POOL)
    if pool is None or sense.group == "number":
        return Plausibility()
    company = ("=", noun.lemma if noun.lemma in pool.mentions else key(noun.word))
    ratio = pool.log_ratio(lemma, company, family)
    if ratio < LEAST_RATIO and pool.company.get((lemma, company), 0) < OFTEN:
        return Plausibility(ratio, f"the pool hardly has it before {noun.word!r}")
    bound = sense.group in BOUND_GROUPS or not known
    if bound and (lemma, company) not in pool.company:
        return Plausibility(ratio, f"the pool never has it before {noun.word!r}")
    return Plausibility(ratio)


def draw_weight(
    reading: CaptionReading,
    own: Token,
    substitute: Substitute,
    log_ratio: float,
    *,
    family: str = "",
    wide: bool = False,
) -> float:
    """How often to draw a substitute beside others, in (0, 1].

    `family` is a noun's, and `wide` says whether the substitute is of another.

    The likelier the oftener; people less often than things; and as many edits turn women into men
    as men into women, however many of either the pool has.
    """
    weight = _balance(reading.pool, own, substitute.lemma) * math.exp(min(0.0, log_ratio))
    person = "person.n.01" in reading.lexicon.ancestors(substitute.synset)
    if person:
        weight *= PERSON_WEIGHT
    elif reading.pool is not None and reading.pool.mixed and own.tag == "noun":
        weight *= MIXED_NOUN_WEIGHT
    elif wide or reading.lexicon.wider.get(family) in BOUND_KINDS:
        weight *= RISKY_WEIGHT
    return weight


def _balance(pool: PoolWords | None, own: Token, lemma: str) -> float:
    if pool is None:
        return 1.0
    before, after = (
        pool.mentions.get(one, 0) or pool.captions.get(one, 0) for one in (own.lemma, lemma)
    )
    return min(1.0, (after + 1) / (before + 1))
