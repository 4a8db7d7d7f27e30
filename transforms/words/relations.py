"""Mine's questions to the lexicon: are two words related, and what names the changed thing."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from transforms.words.caption_reading import FoundRelation, WordRelation
from transforms.words.inflection import lemma_of
from transforms.words.lexicon import Lexicon, Substitute, load_lexicon
from transforms.words.spans import find_spans
from transforms.words.tagging import tag_caption


@dataclass(frozen=True)
class LexiconRelations:
    """Whether the second of two words may take the first's place, by the table in `path`.

    Nouns are related in the same number only. Travels as its path; the table is loaded once a
    process. None is the table that ships with the project.

    >>> from pairloom import LexiconRelations
    >>> related = LexiconRelations()
    >>> related("large", "small").relation, related("train", "bus").relation
    ('antonym', 'co-hyponym')
    >>> related("train", "buses") is None
    True
    """

    path: str | None = None

    def __call__(self, first: str, second: str) -> WordRelation | None:
        """The relation of two lower-cased words, None where there is none."""
        for part_of_speech, substitutes in (
            ("noun", _noun_substitutes(self.path, first)),
            ("adjective", _adjective_substitutes(self.path, first)),
        ):
            found = substitutes.get(_entry(self.path, second, part_of_speech))
            if found is not None:
                return FoundRelation(
                    found.relation, part_of_speech, found.source_synset, found.synset
                )
        return None


@dataclass(frozen=True)
class TaggedPhrase:
    """Names the changed thing as Rewrite does: a noun, or an adjective and the noun it describes.

    `path` is the lexicon's, as in `LexiconRelations`.
    """

    path: str | None = None

    def __call__(self, words: Sequence[str], position: int, part_of_speech: str) -> str:
        """The phrase for the word at `position`; the word alone where no noun is found for it."""
        word = words[position]
        start = sum(len(each) + 1 for each in words[:position])
        lexicon = _lexicon(self.path)
        if part_of_speech == "adjective":
            for span in find_spans(tag_caption(" ".join(words), lexicon), lexicon):
                if span.own.start == start and span.part_of_speech == part_of_speech:
                    return f"{word} {span.noun.text}"
        return word


Entry = tuple[str, bool] | None
"""A lemma of the table and whether the word was its plural."""


@lru_cache(maxsize=4)
def _lexicon(path: str | None) -> Lexicon:
    return load_lexicon(path)


@lru_cache(maxsize=65_536)
def _entry(path: str | None, word: str, part_of_speech: str) -> Entry:
    lexicon = _lexicon(path)
    if part_of_speech == "noun":
        return lemma_of(word, lexicon.nouns, lexicon.listed_nouns)
    return (word, False) if word in lexicon.adjectives else None


@lru_cache(maxsize=16_384)
def _noun_substitutes(path: str | None, word: str) -> dict[Entry, Substitute]:
    entry = _entry(path, word, "noun")
    if entry is None:
        return {}
    lexicon, (lemma, plural) = _lexicon(path), entry
    found: dict[Entry, Substitute] = {}
    for sense in lexicon.nouns[lemma]:
        for substitute in lexicon.noun_substitutes(sense):
            found.setdefault((substitute.lemma, plural), substitute)
    return found


@lru_cache(maxsize=16_384)
def _adjective_substitutes(path: str | None, word: str) -> dict[Entry, Substitute]:
    lexicon = _lexicon(path)
    found: dict[Entry, Substitute] = {}
    for sense in lexicon.adjectives.get(word, ()):
        for substitute in lexicon.adjective_substitutes(sense):
            found.setdefault((substitute.lemma, False), substitute)
    return found
