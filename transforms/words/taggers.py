"""Taggers: which part of speech each word of a caption is, before the table and the rules have it.

TextBlob's, the default, comes with its wheel and looks at words one by one. spaCy's read the whole
caption; its library is the extra `tagger`, its pipelines are fetched by `python -m spacy download`
or are folders.
"""

import warnings
from collections.abc import Callable
from functools import cache
from typing import Any

from indexes.errors import PairloomError

Tagger = Callable[[list[str]], list[str]]
"""Penn Treebank tags, one for each of the lower-cased words of a caption."""

TEXTBLOB, SPACY = "textblob", "spacy"
TAGGERS = (TEXTBLOB, SPACY)
SPACY_PIPELINE = "en_core_web_sm"
_NOT_ASKED = ("parser", "ner", "lemmatizer", "senter", "entity_linker", "textcat")


class TaggerError(PairloomError):
    """A tagger that cannot be loaded, in one line that names it and says what would help."""


def check_tagger(name: str) -> str:
    """`name`, which is `textblob`, `spacy`, or `spacy:` and a pipeline's name or folder.

    Raises:
        ValueError: it is none of them.
    """
    library, colon, pipeline = name.partition(":")
    if name in TAGGERS or (library == SPACY and colon and pipeline):
        return name
    raise ValueError(f"tagger must be textblob, spacy or spacy:PIPELINE, got {name!r}")


def load_tagger(name: str = TEXTBLOB) -> Tagger:
    """The tagger of that name, see `check_tagger`.

    Raises:
        ValueError: there is no such tagger.
        TaggerError: its library or its pipeline is not installed.
    """
    library, _, pipeline = check_tagger(name).partition(":")
    return penn_tags if library == TEXTBLOB else load_spacy(pipeline or SPACY_PIPELINE)


@cache
def _textblob() -> Callable[..., list[tuple[str, str]]]:
    from textblob.en import tag

    with warnings.catch_warnings():
        # TextBlob leaves its data files to the garbage collector.
        warnings.simplefilter("ignore", ResourceWarning)
        tag("a", tokenize=False)
    loaded: Callable[..., list[tuple[str, str]]] = tag
    return loaded


def penn_tags(words: list[str]) -> list[str]:
    """Penn Treebank tags of TextBlob's lexicon tagger, one for each lower-cased word."""
    tag = _textblob()
    tagged = tag(" ".join(words), tokenize=False)
    if len(tagged) != len(words):
        return [tag(word, tokenize=False)[0][1] if word.isalpha() else "SYM" for word in words]
    return [penn for _, penn in tagged]


def load_spacy(pipeline: str = SPACY_PIPELINE) -> Tagger:
    """The tagger of a spaCy pipeline, a package's name or a folder; its other parts are left out.

    Raises:
        TaggerError: spaCy is not installed, it has no such pipeline, or that one does not tag.
    """
    try:
        import spacy
        from spacy.tokens import Doc
    except ImportError as error:
        raise TaggerError(
            f"the tagger spacy needs spaCy ({error}): pip install 'pairloom[tagger]'"
        ) from error
    try:
        loaded: Any = spacy.load(pipeline, exclude=list(_NOT_ASKED))
    except (OSError, ValueError) as error:
        raise TaggerError(
            f"spaCy cannot load the pipeline {pipeline!r} (python -m spacy download "
            f"{SPACY_PIPELINE} fetches the usual one): {error}"
        ) from error

    def tags(words: list[str]) -> list[str]:
        read = Doc(loaded.vocab, words=words)
        for _, part in loaded.pipeline:
            read = part(read)
        return [token.tag_ for token in read]

    if not all(tags(["a", "dog"])):
        raise TaggerError(f"the spaCy pipeline {pipeline!r} gives no tags; it needs a tagger")
    return tags
