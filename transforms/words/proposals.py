"""Proposes changes of one word of a caption (iEdit, section 3.1).

One noun or adjective gives way to an antonym or a co-hyponym; number, article and capitals are
kept. Every choice is drawn from (seed, key) alone.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from transforms.record import PARTS_OF_SPEECH, RELATIONS
from transforms.words.inflection import article, match_case, plural, singular_forms
from transforms.words.lexicon import Lexicon, NounSense, Substitute
from transforms.words.plausibility import (
    BACKGROUND,
    Described,
    adjective_fits,
    colour_suits,
    describe_noun,
    pronouns_allow,
    verbs_allow,
)
from transforms.words.senses import SenseScorer, choose_sense
from transforms.words.spans import Span, colours_of, determiner_of, find_spans, neighbouring_verbs
from transforms.words.tagging import tag_caption
from transforms.words.vocabulary import LAYOUT, NUMBERS, SINGULAR_DETERMINERS

# A word that WordNet knows but nobody listed is put in only where a corpus shows it this often.
UNLISTED_LEAST_COUNT = 2

COUNTED = frozenset({"count", "both"})
UNCOUNTED = frozenset({"mass", "both"})
PLURAL_ONLY = frozenset({"plural"})

Drawn = TypeVar("Drawn")


@dataclass(frozen=True)
class RewriteOptions:
    """What may be proposed.

    `seed` is the run's seed, `edits` the most proposals for one caption (at least 1), `relations`
    and `parts_of_speech` the kinds allowed.

    Raises:
        ValueError: a value is out of its range.

    >>> from pairloom import RewriteOptions
    >>> RewriteOptions(edits=4, parts_of_speech=("adjective",)).relations
    ('antonym', 'co-hyponym')
    """

    seed: int = 0
    edits: int = 1
    relations: tuple[str, ...] = RELATIONS
    parts_of_speech: tuple[str, ...] = PARTS_OF_SPEECH

    def __post_init__(self) -> None:
        """Checks the ranges."""
        if self.edits < 1:
            raise ValueError(f"edits must be at least 1, got {self.edits}")
        for given, allowed, name in (
            (self.relations, RELATIONS, "relations"),
            (self.parts_of_speech, PARTS_OF_SPEECH, "parts_of_speech"),
        ):
            if not given or not set(given) <= set(allowed):
                raise ValueError(f"{name} must be some of {', '.join(allowed)}, got {given}")


@dataclass(frozen=True)
class Proposal:
    """One changed caption and what was changed, in the words of `EditQuery`."""

    caption: str
    edit_prompt: str
    source_word: str
    target_word: str
    source_phrase: str
    target_phrase: str
    relation: str
    part_of_speech: str
    source_synset: str
    target_synset: str
    alternatives: int = 0


@dataclass(frozen=True)
class Rewriter:
    """Proposes edits of captions.

    Args:
        lexicon: the table of relations.
        options: what may be proposed.
        word_counts: in how many of the pool's captions each lower-cased word occurs; a substitute
            must occur. None: no restriction.
    """

    lexicon: Lexicon
    options: RewriteOptions = field(default_factory=RewriteOptions)
    word_counts: Mapping[str, int] | None = None

    def propose(
        self, caption: str, key: str, sense_scorer: SenseScorer | None = None
    ) -> list[Proposal]:
        """Up to `options.edits` different edits of `caption`, in the order they were drawn.

        The order balances relations first, then parts of speech, then words of the caption; a word
        is changed a second time only when every other has been. Empty where nothing can be changed.

        Args:
            caption: one caption in English.
            key: the picture's key; the same key gives the same edits.
            sense_scorer: what the picture says about senses, if it is asked.
        """
        left = self.possible(caption, sense_scorer)
        drawn: list[Proposal] = []
        while left and len(drawn) < self.options.edits:
            used = {one.source_phrase for one in drawn}
            fresh = [one for one in left if one.source_phrase not in used] or left
            number = len(drawn)
            for name in ("relation", "part_of_speech", "source_phrase"):
                values = sorted({getattr(one, name) for one in fresh})
                value = self._draw(values, key, f"{number} {name}")
                fresh = [one for one in fresh if getattr(one, name) == value]
            chosen = self._draw(fresh, key, f"{number} substitute")
            drawn.append(replace(chosen, alternatives=len(left) - 1))
            left = [one for one in left if one.edit_prompt != chosen.edit_prompt]
        return drawn

    def possible(self, caption: str, sense_scorer: SenseScorer | None = None) -> list[Proposal]:
        """Every edit of `caption` that the rules allow, sorted; `alternatives` is left 0."""
        tokens = tag_caption(caption, self.lexicon)
        context = frozenset(word for token in tokens for word in token.word.split(" "))
        found: dict[str, Proposal] = {}
        for span in find_spans(tokens, self.lexicon):
            if span.part_of_speech not in self.options.parts_of_speech:
                continue
            if span.part_of_speech == "noun":
                proposals = self._noun_edits(caption, span, context, sense_scorer)
            else:
                proposals = self._adjective_edits(caption, span, context, sense_scorer)
            for one in proposals:
                if one.relation in self.options.relations:
                    found.setdefault(one.edit_prompt, one)
        return [found[prompt] for prompt in sorted(found)]

    def _draw(self, values: Sequence[Drawn], key: str, purpose: str) -> Drawn:
        text = f"{self.options.seed}\x00{key}\x00{purpose}".encode()
        number = int.from_bytes(hashlib.blake2b(text, digest_size=8).digest())
        return values[number % len(values)]

    def _noun_edits(
        self,
        caption: str,
        span: Span,
        context: frozenset[str],
        scorer: SenseScorer | None,
    ) -> list[Proposal]:
        own = span.own
        if own.lemma in LAYOUT:
            return []
        senses = self.lexicon.nouns[own.lemma]
        sense = choose_sense(senses, self.lexicon, context - {own.word}, scorer)
        if not sense.family:
            return []
        determiner = determiner_of(span.tokens, span.token)
        need = needed_countability(sense, determiner, is_plural=own.plural)
        described = describe_noun(own.lemma, sense.synset, self.lexicon)
        for wide in (False, True) if self.word_counts is not None else (False,):
            edits = []
            for substitute in self.lexicon.noun_substitutes(sense, wide=wide):
                word = self._inflected(substitute, need, is_plural=own.plural)
                other = describe_noun(substitute.lemma, substitute.synset, self.lexicon)
                fits = bool(word) and _noun_fits(span, described, other)
                if fits and self._usable(word, substitute, context):
                    edits.append(_proposal(caption, span, word, substitute))
            if edits:
                return edits
        return []

    def _adjective_edits(
        self,
        caption: str,
        span: Span,
        context: frozenset[str],
        scorer: SenseScorer | None,
    ) -> list[Proposal]:
        noun = span.noun
        known = self.lexicon.nouns.get(noun.lemma)
        if noun.lemma == BACKGROUND:
            described = describe_noun(noun.lemma, BACKGROUND, self.lexicon)
        elif noun.lemma in LAYOUT or not known:
            return []
        else:
            meant = choose_sense(known, self.lexicon, context - {noun.word}, scorer)
            described = describe_noun(noun.lemma, meant.synset, self.lexicon)
        following = span.tokens[span.token + 1].word if span.token + 1 < len(span.tokens) else ""
        preceding = span.tokens[span.token - 1].word if span.token else ""
        edits: dict[str, Proposal] = {}
        for sense in self.lexicon.adjectives[span.own.lemma]:
            for substitute in self.lexicon.adjective_substitutes(sense):
                fits = adjective_fits(
                    sense, substitute, described, before=preceding, after=following
                )
                word = substitute.lemma.replace("_", " ")
                if fits and self._usable(word, substitute, context):
                    one = _proposal(caption, span, word, substitute)
                    edits.setdefault(one.edit_prompt, one)
        return list(edits.values())

    def _inflected(self, substitute: Substitute, need: frozenset[str], *, is_plural: bool) -> str:
        """The substitute in the number wanted, empty where it has none."""
        kind = substitute.countability
        if kind == "unknown":
            # Nobody said whether it can be counted; a plural or an article shows that it must be.
            kind = "count" if need == COUNTED else ""
        if kind not in need:
            return ""
        word = substitute.lemma.replace("_", " ")
        return plural(word) if is_plural and kind != "plural" else word

    def _usable(self, word: str, substitute: Substitute, context: frozenset[str]) -> bool:
        """Whether the corpus knows the word, the caption lacks it, and its pronouns allow it."""
        parts = word.lower().split(" ")
        if any(part in context or set(singular_forms(part)) & context for part in parts[-1:]):
            return False
        if plural(parts[-1]) in context or not pronouns_allow(substitute.lemma, context):
            return False
        if self.word_counts is None:
            return substitute.listed
        least = 1 if substitute.listed else UNLISTED_LEAST_COUNT
        return all(self.word_counts.get(part, 0) >= least for part in parts)


def needed_countability(sense: NounSense, determiner: str, *, is_plural: bool) -> frozenset[str]:
    """Which countabilities can stand where a noun stands; empty where that cannot be told.

    Args:
        sense: the noun that stands there.
        determiner: the article, number or possessive before it, in lower case, or nothing.
        is_plural: whether it stands in the plural.
    """
    if sense.countability == "plural":
        return PLURAL_ONLY
    if is_plural or determiner in SINGULAR_DETERMINERS | NUMBERS:
        return COUNTED
    if sense.countability == "unknown":
        return COUNTED if determiner and determiner != "some" else frozenset()
    if determiner == "":
        return UNCOUNTED if sense.countability in UNCOUNTED else COUNTED
    return UNCOUNTED if sense.countability == "mass" or determiner == "some" else COUNTED


def _noun_fits(span: Span, old: Described, new: Described) -> bool:
    """Whether `new` suits the verbs and colours that the caption gives the noun `old`."""
    before, after = neighbouring_verbs(span)
    if not verbs_allow(new.lemma, new.ancestors, before=before, after=after):
        return False
    return all(
        colour_suits(colour, new) or not colour_suits(colour, old) for colour in colours_of(span)
    )


def _proposal(caption: str, span: Span, word: str, substitute: Substitute) -> Proposal:
    own = span.own
    target = match_case(word, own.text)
    prompt = caption[: own.start] + target + caption[own.end :]
    before = span.tokens[span.token - 1] if span.token else None
    if before is not None and before.word in ("a", "an"):
        fitting = match_case(article(target), before.text)
        prompt = caption[: before.start] + fitting + caption[before.end : own.start] + target
        prompt += caption[own.end :]
    source_phrase, target_phrase = own.text, target
    if span.part_of_speech == "adjective":
        source_phrase, target_phrase = (_phrase(span, one) for one in (own.text, target))
    return Proposal(
        caption=caption,
        edit_prompt=prompt,
        source_word=own.text,
        target_word=target,
        source_phrase=source_phrase,
        target_phrase=target_phrase,
        relation=substitute.relation,
        part_of_speech=span.part_of_speech,
        source_synset=substitute.source_synset,
        target_synset=substitute.synset,
    )


def _phrase(span: Span, adjective: str) -> str:
    """Adjective and noun; in "dark blue car" the colour stays between them."""
    between = span.tokens[span.token + 1 : span.head]
    kept = []
    if adjective.lower() in ("dark", "light"):
        kept = [one.text for one in between if one.tag == "adjective"]
    return " ".join([adjective, *kept, span.noun.text])
