"""An edit of a caption: one word of it exchanged, with number, article and capitals kept."""

from dataclasses import dataclass
from functools import cached_property

from indexes.captions import caption_words
from transforms.words.inflection import article, match_case, singular_forms
from transforms.words.lexicon import Lexicon, Substitute
from transforms.words.plausibility import CHILDREN
from transforms.words.pool_words import Company, Joined, PoolWords, companies, join_entries
from transforms.words.senses import SenseScorer
from transforms.words.spans import Span, Token


@dataclass(frozen=True)
class Proposal:
    """One changed caption and what was changed, in the words of `EditQuery`.

    `plausibility` is the logarithm of how much likelier the pool's captions make the substitute
    than others of its family, where there is a pool; `weight`, above 0, says how often it is drawn
    beside others.
    """

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
    plausibility: float = 0.0
    weight: float = 1.0


@dataclass(frozen=True)
class Considered:
    """A substitute for a word: the edit, or in a few words why it makes none."""

    source: str
    target: str
    proposal: Proposal | None = None
    why_not: str = ""


@dataclass(frozen=True)
class CaptionReading:
    """A caption as its tagged tokens, with what is asked about all of its words.

    Args:
        caption: the caption.
        tokens: its tokens.
        lexicon: the table.
        pool: what a pool's captions say; None where there is none.
        scorer: what the picture says about senses.
        without: kinds of words that are left as they are.
    """

    caption: str
    tokens: tuple[Token, ...]
    lexicon: Lexicon
    pool: PoolWords | None
    scorer: SenseScorer | None
    without: frozenset[str] = frozenset()

    @cached_property
    def context(self) -> frozenset[str]:
        """The words of the caption, in lower case, those of compounds one by one."""
        return frozenset(word for token in self.tokens for word in token.word.split(" "))

    def context_beside(self, own: Token) -> frozenset[str]:
        """The words of the caption but those of `own`, of which a "tennis player" has two."""
        if " " not in own.word:
            return self.context
        others = (token for token in self.tokens if token != own)
        return frozenset(word for token in others for word in token.word.split(" "))

    @property
    def goes_wide(self) -> bool:
        """Whether words of other families may be put in: where a pool tells that is not mixed."""
        return self.pool is not None and not self.pool.mixed

    @cached_property
    def named(self) -> dict[str, str]:
        """The senses that the caption's nouns may have, each with the word that has it."""
        return {
            sense.synset: token.word
            for token in self.tokens
            for sense in self.lexicon.nouns.get(token.lemma, ())
        }

    @cached_property
    def children(self) -> frozenset[str]:
        """The caption's words for children, as they stand there."""
        return frozenset(
            word
            for word in self.context
            if word in CHILDREN or not CHILDREN.isdisjoint(singular_forms(word))
        )

    def companies(self, lemma: str, word: str) -> list[Company]:
        """In what company the pool's counts see the noun `lemma`, spelled `word`."""
        if lemma not in self._companies:
            place = next((at for at, one in enumerate(self.joined) if one[0] == word), None)
            self._companies[lemma] = (
                [] if place is None else companies(self.joined, place, self.lexicon)
            )
        return self._companies[lemma]

    @cached_property
    def _companies(self) -> dict[str, list[Company]]:
        return {}

    @cached_property
    def joined(self) -> Joined:
        """The words as `PoolWords` counts them."""
        assert self.pool is not None
        return join_entries(caption_words(self.caption), self.pool.forms)


def make_proposal(caption: str, span: Span, word: str, substitute: Substitute) -> Proposal:
    """The caption with `word` in the place of the word of `span`."""
    own = span.own
    target = match_case(word, own.text)
    prompt = caption[: own.start] + target + caption[own.end :]
    before = span.tokens[span.token - 1] if span.token else None
    if before is not None and before.word in ("a", "an"):
        fitting = match_case(article(target), before.text)
        prompt = caption[: before.start] + fitting + caption[before.end : own.start] + target
        prompt += caption[own.end :]
    source_phrase, target_phrase = own.text, target
    if span.modifies:
        source_phrase, target_phrase = (
            f"{one} {span.tokens[span.token + 1].text}" for one in (own.text, target)
        )
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
    """Adjective and noun, a compound whole; in "dark blue car" the colour stays between them."""
    between = span.tokens[span.token + 1 : span.head]
    tags = {"noun", "adjective"} if adjective.lower() in ("dark", "light") else {"noun"}
    kept = [one.text for one in between if one.tag in tags]
    return " ".join([adjective, *kept, span.noun.text])
