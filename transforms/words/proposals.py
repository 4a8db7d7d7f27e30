"""Proposes changes of one word of a caption (iEdit, section 3.1).

One noun or adjective gives way to an antonym or a co-hyponym; number, article and capitals are
kept. Every choice is drawn from (seed, key) alone.
"""

import hashlib
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace

from transforms.protocols import Captioner, Encoder
from transforms.record import PARTS_OF_SPEECH, RELATIONS
from transforms.words.edits import CaptionReading, Considered, Proposal
from transforms.words.gate import why_no_caption
from transforms.words.instructions import InstructionWriter
from transforms.words.judging import JUDGES, LEAST_JUDGEMENT, NO_JUDGE, EditJudge, load_judge
from transforms.words.lexicon import Lexicon, load_lexicon
from transforms.words.pool_words import PoolWords, count_pool
from transforms.words.senses import SenseScorer
from transforms.words.spans import find_spans
from transforms.words.substitution import consider
from transforms.words.taggers import TEXTBLOB, Tagger, check_tagger, load_tagger, penn_tags
from transforms.words.tagging import tag_caption


@dataclass(frozen=True)
class RewriteOptions:
    """What may be proposed.

    `seed` is the run's seed, `edits` the most proposals for one caption (at least 1), `relations`
    and `parts_of_speech` the kinds allowed. `without` names what is left as it is: families of the
    word table, wide kinds of them such as `person`, or groups of adjectives such as `colour`.
    `tagger` says which words are nouns, see `taggers.check_tagger`. `judge` is `none`, or `encoder`
    or `captioner`: then an edit that this finds worse than the caption was, by `least_judgement` of
    the spread of the pool's captions, is not proposed.

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
    without: tuple[str, ...] = ()
    tagger: str = TEXTBLOB
    judge: str = NO_JUDGE
    least_judgement: float = LEAST_JUDGEMENT

    def __post_init__(self) -> None:
        """Checks the ranges."""
        check_tagger(self.tagger)
        if self.judge not in JUDGES:
            raise ValueError(f"judge must be one of {', '.join(JUDGES)}, got {self.judge!r}")
        if not math.isfinite(self.least_judgement):
            raise ValueError(f"least_judgement must be finite, got {self.least_judgement}")
        if self.edits < 1:
            raise ValueError(f"edits must be at least 1, got {self.edits}")
        for given, allowed, name in (
            (self.relations, RELATIONS, "relations"),
            (self.parts_of_speech, PARTS_OF_SPEECH, "parts_of_speech"),
        ):
            if not given or not set(given) <= set(allowed):
                raise ValueError(f"{name} must be some of {', '.join(allowed)}, got {given}")

    def describe(self) -> dict[str, object]:
        """The options by name, as a manifest has them: what no run had before only where chosen."""
        plain = asdict(self)
        if self.tagger == TEXTBLOB:
            del plain["tagger"]
        if self.judge == NO_JUDGE:
            del plain["judge"], plain["least_judgement"]
        return plain


@dataclass(frozen=True)
class Rewriter:
    """Proposes edits of captions.

    Args:
        lexicon: the table of relations.
        options: what may be proposed.
        pool: what the captions of the pool say; a substitute must occur there, and in company
            like this caption's. None: no restriction.
        tagger: says which part of speech each word is.
        judge: judges the edits that were drawn; None: all of them are proposed.
    """

    lexicon: Lexicon
    options: RewriteOptions = field(default_factory=RewriteOptions)
    pool: PoolWords | None = None
    tagger: Tagger = penn_tags
    judge: EditJudge | None = None

    @property
    def instructions(self) -> InstructionWriter:
        """Says the edits as instructions, by the same table, tagger and seed."""
        return InstructionWriter(self.lexicon, self.options.seed, self.tagger)

    def propose(
        self, caption: str, key: str, sense_scorer: SenseScorer | None = None
    ) -> list[Proposal]:
        """Up to `options.edits` different edits of `caption`, in the order they were drawn.

        First a word of the caption is drawn, then its substitute, the likelier ones more often; a
        word is changed a second time only when every other has been. Empty where nothing can be
        changed.

        Args:
            caption: one caption in English.
            key: the picture's key; the same key gives the same edits.
            sense_scorer: what the picture says about senses, if it is asked.
        """
        left = self.possible(caption, sense_scorer)
        kept: list[Proposal] = []
        drawn = 0
        while left and len(kept) < self.options.edits:
            some = self._draw_some(left, key, self.options.edits - len(kept), kept, drawn)
            drawn += len(some)
            gone = {one.edit_prompt for one in some}
            left = [one for one in left if one.edit_prompt not in gone]
            kept += self._judged(caption, some)
        return kept

    def _judged(self, caption: str, drawn: list[Proposal]) -> list[Proposal]:
        """Those that the judge does not find too far from the pool."""
        if self.judge is None:
            return drawn
        scores = self.judge.judge(caption, [one.edit_prompt for one in drawn])
        least = self.options.least_judgement
        return [one for one, score in zip(drawn, scores, strict=True) if score >= least]

    def _draw_some(
        self, left: list[Proposal], key: str, count: int, kept: list[Proposal], before: int
    ) -> list[Proposal]:
        """Up to `count` of `left`; `kept` were drawn already, `before` draws were made."""
        drawn: list[Proposal] = []
        while left and len(drawn) < count:
            used = {one.source_phrase for one in (*kept, *drawn)}
            fresh = [one for one in left if one.source_phrase not in used] or left
            number = before + len(drawn)
            phrases = sorted({one.source_phrase for one in fresh})
            weights = [
                max(one.weight for one in fresh if one.source_phrase == phrase)
                for phrase in phrases
            ]
            phrase = phrases[self._draw(weights, key, f"{number} word")]
            fresh = [one for one in fresh if one.source_phrase == phrase]
            place = self._draw([one.weight for one in fresh], key, f"{number} substitute")
            drawn.append(replace(fresh[place], alternatives=len(left) - 1))
            left = [one for one in left if one.edit_prompt != fresh[place].edit_prompt]
        return drawn

    def possible(self, caption: str, sense_scorer: SenseScorer | None = None) -> list[Proposal]:
        """Every edit of `caption` that the rules allow, sorted; `alternatives` is left 0."""
        found: dict[str, Proposal] = {}
        for one in self.consider(caption, sense_scorer):
            if one.proposal is not None and one.proposal.relation in self.options.relations:
                found.setdefault(one.proposal.edit_prompt, one.proposal)
        return [found[prompt] for prompt in sorted(found)]

    def consider(self, caption: str, sense_scorer: SenseScorer | None = None) -> list[Considered]:
        """Every substitute for every word, with the reason where it is not put in."""
        why = why_no_caption(caption)
        if why:
            return [Considered("", "", why_not=why)]
        tokens = tag_caption(caption, self.lexicon, self.tagger)
        without = frozenset(self.options.without)
        reading = CaptionReading(caption, tokens, self.lexicon, self.pool, sense_scorer, without)
        return [
            one
            for span in find_spans(tokens, self.lexicon)
            if span.part_of_speech in self.options.parts_of_speech
            for one in consider(reading, span)
        ]

    def _draw(self, weights: Sequence[float], key: str, purpose: str) -> int:
        """A place in `weights`, each as likely as its weight is large."""
        text = f"{self.options.seed}\x00{key}\x00{purpose}".encode()
        drawn = int.from_bytes(hashlib.blake2b(text, digest_size=8).digest()) / 2**64
        left = drawn * sum(weights)
        for place, weight in enumerate(weights):
            left -= weight
            if left < 0:
                return place
        return len(weights) - 1


def load_rewriter(
    options: RewriteOptions,
    captions: Iterable[str] | None = None,
    *,
    lexicon: str | None = None,
    encoder: Encoder | None = None,
    captioner: Captioner | None = None,
) -> Rewriter:
    """The rewriter of `options` with all that it needs.

    Args:
        options: what may be proposed, and what has a say.
        captions: the pool's; None for no restriction.
        lexicon: file of the word table; None for the one that ships with the project.
        encoder: the text encoder that judges, where `options.judge` asks for it.
        captioner: the captioner that judges, where `options.judge` asks for it.

    Raises:
        LexiconError, TaggerError: the table or the tagger cannot be loaded.
        ValueError: a judge is asked for without captions, or is not there.
        ModelError: the captioner that is to judge cannot say how likely texts are.
    """
    table, tagger = load_lexicon(lexicon), load_tagger(options.tagger)
    if options.judge == NO_JUDGE:
        pool = None if captions is None else count_pool(captions, table)
        return Rewriter(table, options, pool, tagger)
    if captions is None:
        raise ValueError(f"judge {options.judge} needs the captions of a pool")
    kept = list(captions)
    judge = load_judge(options.judge, kept, encoder=encoder, captioner=captioner)
    return Rewriter(table, options, count_pool(kept, table), tagger, judge)
