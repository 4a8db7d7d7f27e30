"""Makes the rows of the word table out of WordNet and the hand-written word list.

`transforms.words.lexicon` explains the rows. The table is a function of WordNet and of the list
alone: the same rows on every machine, and the same bytes where zlib is the same.
"""

import gzip
import hashlib
import io
from collections.abc import Iterable
from functools import cache
from typing import Any

from pipelines.lexicon.word_list import Family, ListedWord, WordList, WordListError
from transforms.words.lexicon import FORMAT_VERSION

VISIBLE = frozenset(
    {
        "noun.animal",
        "noun.artifact",
        "noun.body",
        "noun.food",
        "noun.location",
        "noun.object",
        "noun.person",
        "noun.phenomenon",
        "noun.plant",
        "noun.substance",
    }
)
COMPOUND_KINDS = VISIBLE - {"noun.animal", "noun.plant"} | {"noun.communication"}
COLOURS = ("chromatic_color.n.01", "achromatic_color.n.01")
# Clusters whose members differ to the eye. Elsewhere a word like another word's opposite is seldom
# its own opposite (bright is like light, yet no opposite of a dark complexion).
SIZE_HEADS = frozenset({"large.a.01", "small.a.01"})
LOOK_HEADS = frozenset({"patterned.a.01"})
# One line of the table, cell by cell.
Row = tuple[str, ...]
GLOSS_WORDS = 12
OTHER_SENSES = 3


def build_table(wordnet: Any, words: WordList) -> list[Row]:
    """All rows of the table, in a fixed order.

    Args:
        wordnet: NLTK's WordNet reader.
        words: the hand-written list.

    Raises:
        WordListError: the list names a sense or word that this WordNet does not have.
    """
    listed = [(word, _listed_sense(wordnet, word, words)) for word in words.nouns]
    taken = {word.lemma for word, _ in listed}
    nouns = [_noun_row(word, sense, listed) for word, sense in listed]
    nouns += _other_senses(wordnet, listed)
    nouns += _unlisted_nouns(wordnet, words, taken)
    adjectives = _adjective_rows(wordnet, words.adjectives)
    used = {row[2] for row in nouns} | {row[2] for row in adjectives}
    rows: list[Row] = [("wider", name, ",".join(ids)) for name, ids in sorted(words.wider.items())]
    rows += [("family", family.name, family.wider) for family in words.families]
    rows += _synset_rows(wordnet, used)
    rows += nouns
    rows += sorted(adjectives)
    lemmas = {row[1] for row in nouns}
    for name in _compounds(wordnet, words, lemmas):
        rows.append(("compound", name, "listed" if name in words.compounds else "known"))
    rows += [("verb", name) for name in sorted(lemmas & set(wordnet.all_lemma_names(pos="v")))]
    return rows


def table_bytes(rows: Iterable[Row], *, source: str, words_text: str) -> bytes:
    """The gzipped table: a header with format, source and the word list's hash, then the rows."""
    digest = hashlib.sha256(words_text.encode()).hexdigest()[:16]
    header = ("pairloom-lexicon", str(FORMAT_VERSION), source, digest)
    lines = "".join("\t".join(row) + "\n" for row in (header, *rows))
    packed = io.BytesIO()
    # No file name and no time in the gzip header: they would change the bytes.
    with gzip.GzipFile(filename="", mode="wb", fileobj=packed, mtime=0) as stream:
        stream.write(lines.encode())
    return packed.getvalue()


def _ancestors(synset: Any) -> frozenset[str]:
    """Names of the synset itself and of everything above it."""
    return _ancestors_cached(synset)


@cache
def _ancestors_cached(synset: Any) -> frozenset[str]:
    above = synset.hypernyms() + synset.instance_hypernyms()
    return frozenset({synset.name()}).union(*(_ancestors_cached(one) for one in above))


def _count(synset: Any, lemma: str) -> int:
    wanted = lemma.lower()
    return sum(one.count() for one in synset.lemmas() if one.name().lower() == wanted)


def _find(wordnet: Any, name: str) -> Any:
    from nltk.corpus.reader.wordnet import WordNetError as UnknownSynset

    try:
        return wordnet.synset(name)
    except (UnknownSynset, ValueError):
        raise WordListError(f"synset {name} is not in this WordNet") from None


def _listed_sense(wordnet: Any, word: ListedWord, words: WordList) -> Any:
    family = next(one for one in words.families if one.name == word.family)
    if word.synset is not None:
        return _find(wordnet, word.synset)
    senses = wordnet.synsets(word.lemma, "n")
    for ancestor in family.ancestors:
        for sense in senses:
            if ancestor in _ancestors(sense):
                return sense
    raise WordListError(f"{word.lemma} has no sense below {' or '.join(family.ancestors)}")


def _noun_row(word: ListedWord, sense: Any, listed: list[tuple[ListedWord, Any]]) -> Row:
    by_sense = {(other.lemma, one.name()): other for other, one in listed}
    antonyms = []
    for lemma in sense.lemmas():
        for opposite in lemma.antonyms():
            name = opposite.name().lower()
            if (name, opposite.synset().name()) in by_sense:
                antonyms.append(f"{name}={opposite.synset().name()}")
    role = "substitute" if word.substitute else "listed"
    return (
        "noun",
        word.lemma,
        sense.name(),
        str(_count(sense, word.lemma)),
        word.family,
        word.countability,
        role,
        ",".join(sorted(set(antonyms))),
    )


def _known_row(lemma: str, sense: Any, family: str) -> Row:
    count = str(_count(sense, lemma))
    return ("noun", lemma, sense.name(), count, family, "unknown", "known", "")


def _other_senses(wordnet: Any, listed: list[tuple[ListedWord, Any]]) -> list[Row]:
    """Further visible senses of listed words, so that a picture can speak for one of them."""
    chosen: dict[str, set[str]] = {}
    for word, sense in listed:
        chosen.setdefault(word.lemma, set()).add(sense.name())
    rows: list[Row] = []
    for lemma in sorted(chosen):
        own = [one for one in wordnet.synsets(lemma, "n") if _has_lemma(one, lemma)]
        seen = [one for one in own if one.lexname() in VISIBLE and not one.instance_hypernyms()]
        others = [one for one in seen if one.name() not in chosen[lemma]]
        rows += [_known_row(lemma, one, "") for one in others[:OTHER_SENSES]]
    return rows


def _has_lemma(synset: Any, lemma: str) -> bool:
    return lemma.lower() in (name.lower() for name in synset.lemma_names())


def _unlisted_nouns(wordnet: Any, words: WordList, taken: set[str]) -> list[Row]:
    """Nouns whose commonest sense can be seen: those below a family, and those in some use."""
    rows: list[Row] = []
    for lemma in sorted(set(wordnet.all_lemma_names(pos="n")) - taken):
        if not lemma.replace("_", "").replace("-", "").isalpha() or lemma.count("_") > 1:
            continue
        # Looked up without morphology: "glasses" must not bring in "glass".
        senses = [one for one in wordnet.synsets(lemma, "n") if _has_lemma(one, lemma)]
        if not senses or senses[0].instance_hypernyms() or senses[0].lexname() not in VISIBLE:
            continue
        if not any(name.islower() and name == lemma for name in senses[0].lemma_names()):
            continue
        family = _family_of(senses[0], words.families)
        if family or _count(senses[0], lemma) > 0:
            rows.append(_known_row(lemma, senses[0], family))
    return rows


def _family_of(sense: Any, families: Iterable[Family]) -> str:
    above = _ancestors(sense)
    for family in families:
        if family.open_to and family.open_to in above and sense.name() != family.open_to:
            return family.name
    return ""


def _compounds(wordnet: Any, words: WordList, lemmas: set[str]) -> list[str]:
    """Expressions of several words that name one visible thing and have no row of their own."""
    found = set(words.compounds)
    for lemma in wordnet.all_lemma_names(pos="n"):
        if "_" not in lemma or lemma in lemmas or not lemma.replace("_", "").isalpha():
            continue
        sense = wordnet.synsets(lemma, "n")[0]
        if sense.lexname() in COMPOUND_KINDS and lemma in sense.lemma_names():
            found.add(lemma)
    return sorted(found)


def _adjective_rows(wordnet: Any, listed: tuple[ListedWord, ...]) -> list[Row]:
    rows: list[Row] = []
    allowed = {word.lemma for word in listed if word.substitute}
    for word in listed:
        role = "substitute" if word.substitute else "listed"
        if word.family:
            rows.append(_grouped_adjective(wordnet, word, role))
            continue
        colour = _colour_sense(wordnet, word.lemma)
        if colour is not None:
            antonyms = _colour_antonyms(wordnet, word, allowed)
            rows.append(("adjective", word.lemma, colour.name(), "colour", role, antonyms))
        else:
            rows += _plain_adjective(wordnet, word, allowed, role)
    return rows


def _grouped_adjective(wordnet: Any, word: ListedWord, role: str) -> Row:
    if word.synset is None:
        raise WordListError(f"{word.lemma} of adjective {word.family} must name its sense")
    sense = _find(wordnet, word.synset)
    return ("adjective", word.lemma, sense.name(), word.family, role, "")


def _colour_antonyms(wordnet: Any, word: ListedWord, allowed: set[str]) -> str:
    """The opposites of a colour adjective that are colours too, by the synsets of their nouns."""
    pairs = []
    for sense in _adjective_senses(wordnet, word):
        for lemma, _ in _direct(sense, word):
            noun = _colour_sense(wordnet, lemma)
            if noun is not None and lemma in allowed:
                pairs.append((lemma, noun.name()))
    return _joined(pairs)


def _plain_adjective(wordnet: Any, word: ListedWord, allowed: set[str], role: str) -> list[Row]:
    """One row for each sense with an opposite in the list, or in a cluster of looks."""
    direct: list[Row] = []
    indirect: list[Row] = []
    for sense in _adjective_senses(wordnet, word):
        heads = sorted(sense.similar_tos()) if sense.pos() == "s" else []
        close = [one for one in heads if one.name() in SIZE_HEADS | LOOK_HEADS]
        group = next((one.name() for one in close if one.name() in LOOK_HEADS), "")
        own = _joined(pair for pair in _direct(sense, word) if pair[0] in allowed)
        other = _joined(pair for pair in _indirect(close) if pair[0] in allowed)
        row = ("adjective", word.lemma, sense.name(), group, role)
        if own:
            direct.append((*row, own))
        elif other or group:
            indirect.append((*row, other))
    return direct or indirect


def _adjective_senses(wordnet: Any, word: ListedWord) -> list[Any]:
    if word.synset is not None:
        return [_find(wordnet, word.synset)]
    return [one for one in wordnet.synsets(word.lemma, "a") if _has_lemma(one, word.lemma)]


def _colour_sense(wordnet: Any, lemma: str) -> Any | None:
    for sense in wordnet.synsets(lemma, "n"):
        if any(colour in _ancestors(sense) for colour in COLOURS) and _has_lemma(sense, lemma):
            return sense
    return None


def _direct(sense: Any, word: ListedWord) -> list[tuple[str, str]]:
    """The word's own opposites in this sense."""
    lemmas = [one for one in sense.lemmas() if one.name().lower() == word.lemma]
    opposites = [other for lemma in lemmas for other in lemma.antonyms()]
    return [(other.name(), other.synset().name()) for other in opposites]


def _indirect(heads: Iterable[Any]) -> list[tuple[str, str]]:
    """Opposites of the head of the word's cluster: huge is like large, so small opposes it."""
    opposites = [other for head in heads for lemma in head.lemmas() for other in lemma.antonyms()]
    return [(other.name(), other.synset().name()) for other in opposites]


def _joined(pairs: Iterable[tuple[str, str]]) -> str:
    return ",".join(sorted({f"{lemma}={synset}" for lemma, synset in pairs}))


def _synset_rows(wordnet: Any, used: set[str]) -> list[Row]:
    """One row for each synset in use and for everything above it."""
    wanted: set[str] = set()
    for name in used:
        wanted |= _ancestors(wordnet.synset(name))
    rows: list[Row] = []
    for name in sorted(wanted):
        synset = wordnet.synset(name)
        # NLTK keeps pointers in sets, whose order changes from run to run.
        above = sorted(one.name() for one in synset.hypernyms() + synset.instance_hypernyms())
        # It also cuts the subject off the gloss: "(baseball) a club used for ..."
        topics = sorted(one.lemma_names()[0].replace("_", " ") for one in synset.topic_domains())
        gloss = " ".join([*topics, *synset.definition().split()[:GLOSS_WORDS]])
        rows.append(("synset", name, synset.lexname(), ",".join(above), gloss))
    return rows
