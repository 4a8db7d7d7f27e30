"""What may take the place of one word of a caption, and why the rest may not.

Rules that hold for every caption are here: number, article, what is said twice, what verbs, colours
and pronouns ask. What a pool's captions say of a substitute is in `likelihood`.
"""

from collections.abc import Iterator
from dataclasses import replace

from transforms.words.agreement import age_allows, fixtures_allow, numbers_allow, sex_allows
from transforms.words.countability import inflected, needed_in
from transforms.words.edits import CaptionReading, Considered, make_proposal
from transforms.words.inflection import plural, singular_forms
from transforms.words.lexicon import AdjectiveSense, NounSense, Substitute
from transforms.words.likelihood import (
    Plausibility,
    adjective_plausibility,
    draw_weight,
    noun_plausibility,
)
from transforms.words.plausibility import (
    ANIMATE,
    BACKGROUND,
    CHILDREN,
    WEATHERED,
    Described,
    adjective_fits,
    colour_suits,
    describe_noun,
    preposition_allows,
    verbs_allow,
)
from transforms.words.senses import choose_sense
from transforms.words.spans import (
    Span,
    Token,
    colours_of,
    determiner_of,
    neighbouring_verbs,
    preposition_of,
)
from transforms.words.vocabulary import LAYOUT, MATERIALS


def consider(reading: CaptionReading, span: Span) -> list[Considered]:
    """Every substitute for the word of `span`, sorted by what it makes of the caption.

    One entry without a target says why the word itself is left alone.
    """
    words = _nouns if span.part_of_speech == "noun" else _adjectives
    found = list(words(reading, span))
    return sorted(found, key=lambda one: (one.target, one.why_not))


def _nouns(reading: CaptionReading, span: Span) -> Iterator[Considered]:
    own, lexicon = span.own, reading.lexicon
    sense = choose_sense(
        lexicon.nouns[own.lemma], lexicon, reading.context - {own.word}, reading.scorer
    )
    why = _left_alone(reading, span, sense)
    if why:
        yield Considered(own.text, "", why_not=why)
        return
    need = needed_in(span, sense)
    described = describe_noun(own.lemma, sense.synset, lexicon)
    found: list[Considered] = []
    for wide in (False, True) if reading.goes_wide and span.partner is None else (False,):
        substitutes = [one for one in lexicon.noun_substitutes(sense, wide=wide) if one.listed]
        family = tuple(sorted({own.lemma, *(one.lemma for one in substitutes)}))
        for substitute in substitutes:
            other = describe_noun(substitute.lemma, substitute.synset, lexicon)
            word = inflected(substitute, need, is_plural=own.plural)
            name = word or substitute.lemma.replace("_", " ")
            why = (
                "another number or countability"
                if not word
                else _why_unusable(reading, own, substitute.lemma, word)
            )
            why = why or _why_not_there(span, described, other)
            why = why or _why_no_change(reading, span, substitute)
            if why:
                found.append(Considered(own.text, name, why_not=why))
                continue
            likely = noun_plausibility(reading, span, sense, substitute.lemma, family, wide=wide)
            weight = draw_weight(
                reading, own, substitute, likely.log_ratio, family=sense.family, wide=wide
            )
            found.append(_judged(reading, span, word, substitute, likely, weight))
        if any(one.proposal is not None for one in found):
            break
    if not found:
        yield Considered(own.text, "", why_not="its family has no everyday word beside it")
    yield from found


def _adjectives(reading: CaptionReading, span: Span) -> Iterator[Considered]:
    lexicon, noun, own = reading.lexicon, span.noun, span.own
    described = _described(reading, noun)
    following = span.tokens[span.token + 1].word if span.token + 1 < len(span.tokens) else ""
    preceding = span.tokens[span.token - 1].word if span.token else ""
    for sense in lexicon.adjectives[own.lemma]:
        why = _why_left_alone(reading, sense, noun, described)
        if why:
            yield Considered(own.text, "", why_not=why)
            continue
        substitutes = lexicon.adjective_substitutes(sense)
        family = tuple(sorted({own.lemma, *(one.lemma for one in substitutes)}))
        for substitute in substitutes:
            word = substitute.lemma.replace("_", " ")
            fits = described is None or adjective_fits(
                sense, substitute, described, before=preceding, after=following
            )
            why = "" if fits else f"{noun.word!r} does not differ so, or not to the eye"
            why = why or _why_unusable(reading, own, substitute.lemma, word)
            if why:
                yield Considered(own.text, word, why_not=why)
                continue
            found = adjective_plausibility(
                reading.pool, sense, substitute.lemma, noun, family, known=described is not None
            )
            weight = draw_weight(reading, own, substitute, found.log_ratio)
            yield _judged(reading, span, word, substitute, found, weight)


def _why_left_alone(
    reading: CaptionReading, sense: AdjectiveSense, noun: Token, described: Described | None
) -> str:
    """Why an adjective is not exchanged at all in this sense, or nothing."""
    if sense.group in reading.without:
        return "such words are left as they are"
    if sense.group == "number":
        fits = numbers_allow(reading.context)
        return "" if fits else "the rest of the caption counts as well"
    if sense.group == "weather" and noun.word in WEATHERED:
        return ""
    if noun.lemma in LAYOUT and noun.lemma != BACKGROUND:
        return "what it describes is no thing by itself"
    if described is None and reading.pool is None:
        return "what it describes is not in the table"
    return ""


def _described(reading: CaptionReading, noun: Token) -> Described | None:
    lexicon = reading.lexicon
    if noun.lemma == BACKGROUND:
        return describe_noun(noun.lemma, BACKGROUND, lexicon)
    known = lexicon.nouns.get(noun.lemma)
    if noun.lemma in LAYOUT or not known:
        return None
    meant = choose_sense(known, lexicon, reading.context - {noun.word}, reading.scorer)
    return describe_noun(noun.lemma, meant.synset, lexicon)


def _left_alone(reading: CaptionReading, span: Span, sense: NounSense) -> str:
    """Why a noun is not exchanged at all, or nothing."""
    own = span.own
    before = span.tokens[span.token - 1] if span.token else None
    if reading.context & _ABSENT and _is_absent(span):
        return "the caption says that it is not there"
    if {sense.family, reading.lexicon.wider.get(sense.family)} & reading.without:
        return "such words are left as they are"
    if own.lemma in LAYOUT:
        return "it says where things stand, or what kind of picture it is"
    mixed = reading.pool is not None and reading.pool.mixed
    if not sense.family or (mixed and sense.role == "known"):
        return "nobody listed what may take its place"
    if determiner_of(span.tokens, span.first) in _ANY:
        return "it is any of its kind"
    if _said_again(reading, span):
        return "the caption speaks of it twice"
    made = before is not None and (before.word in MATERIALS or before.word in _LIKENESSES)
    if made and ANIMATE & reading.lexicon.ancestors(sense.synset):
        return "it is the likeness of one"
    return ""


_ABSENT = frozenset({"no", "without"})
_ANY = frozenset({"every", "any"})
_WHOSE = frozenset({"his", "her", "their", "my", "your", "our", "its", "'s"})


def _is_absent(span: Span) -> bool:
    return any(token.word in _ABSENT for token in span.tokens[max(0, span.token - 3) : span.token])


_LIKENESSES = frozenset({"toy", "stuffed", "wooden", "plush", "inflatable", "carved", "fake"})


def _said_again(reading: CaptionReading, span: Span) -> bool:
    """Whether another word of the caption names the same thing, or is made of its name."""
    own = span.own
    stems = {form.replace("_", " ") for form in (own.lemma, own.word, *singular_forms(own.word))}
    stems |= set(own.word.split(" ")[:-1])  # a tennis player in a tennis match
    for place, token in enumerate(span.tokens):
        if place == span.token:
            continue
        parts = token.word.split(" ")
        if stems & {token.word, token.lemma.replace("_", " "), *parts}:
            return True
        if any(stems & set(singular_forms(part)) for part in parts):
            return True
    return False


def _why_not_there(span: Span, old: Described, new: Described) -> str:
    """Why `new` does not suit the verbs and colours that the caption gives the noun `old`."""
    before, after = neighbouring_verbs(span)
    if not verbs_allow(new.lemma, new.ancestors, before=before, after=after):
        return f"it does not go with {before or after!r}"
    if not preposition_allows(old.lemma, new.lemma, preposition_of(span)):
        return f"it does not stand after {preposition_of(span)!r}"
    for colour in colours_of(span):
        if colour_suits(colour, old) and not colour_suits(colour, new):
            return f"it is not seen in {colour}"
    return ""


def _why_no_change(reading: CaptionReading, span: Span, substitute: Substitute) -> str:
    """Why nobody would see `substitute`: the caption has it by another name, or it may be meant."""
    own = span.own
    other = reading.named.get(substitute.synset, own.word)
    if other != own.word:
        return f"the caption has it as {other!r}"
    if not fixtures_allow(own.lemma, reading.context):
        return "the caption tells what stands in such a room"
    if not age_allows(own.lemma, substitute.lemma, reading.context):
        return "a word of the caption tells another age"
    if own.lemma == "people" and substitute.lemma != "child":
        return "the people may be some"
    if substitute.lemma == "child" and own.lemma in CHILDREN:
        return "it is one already"
    grown = own.lemma in CHILDREN and substitute.lemma not in CHILDREN
    if grown and determiner_of(span.tokens, span.first) in _WHOSE:
        return "it is the child of one"
    if own.lemma in CHILDREN - _TOLD:
        if substitute.lemma in _TOLD:
            return "the child may be one"
        if reading.children - {own.word}:
            return "the caption speaks of children again"
    return ""


_TOLD = frozenset({"boy", "girl", "son", "daughter"})


def _why_unusable(reading: CaptionReading, own: Token, lemma: str, word: str) -> str:
    """Why `word` cannot be put in: it is there already, a pronoun or the pool speaks against it."""
    pool = reading.pool
    context = reading.context_beside(own)
    parts = word.lower().split(" ")
    if pool is not None and not all(part in pool.captions for part in parts):
        return "no caption of the pool has it"
    last = parts[-1]
    if last in context or set(singular_forms(last)) & context or plural(last) in context:
        return "the caption has the word"
    if not sex_allows(own.lemma, lemma, context):
        return "a word of the caption tells another sex"
    return ""


def _judged(
    reading: CaptionReading,
    span: Span,
    word: str,
    substitute: Substitute,
    found: Plausibility,
    weight: float,
) -> Considered:
    if found.why_not:
        return Considered(span.own.text, word, why_not=found.why_not)
    proposal = make_proposal(reading.caption, span, word, substitute)
    return Considered(
        span.own.text, word, replace(proposal, plausibility=found.log_ratio, weight=weight)
    )
