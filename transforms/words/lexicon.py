"""The table of word relations that edits are drawn from, as it is in memory.

The table is built from WordNet by `pairloom lexicon build` and ships with the project; nothing
here needs WordNet itself. It is gzipped text, one row a line, tab-separated:

    pairloom-lexicon  FORMAT  SOURCE  HASH-OF-THE-WORD-LIST
    wider      NAME  ANCESTORS
    family     NAME  WIDER
    synset     ID  LEXNAME  HYPERNYMS  GLOSS
    noun       LEMMA  SYNSET  COUNT  FAMILY  COUNTABILITY  ROLE  ANTONYMS
    adjective  LEMMA  SYNSET  GROUP  ROLE  ANTONYMS
    compound   EXPRESSION  ROLE
    verb       LEMMA

Lists are joined by commas, an antonym is `lemma=synset`, a compound's words by underscores.
"""

import gzip
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from indexes.errors import PairloomError
from indexes.storage.paths import as_path
from transforms.package_data import find_package_data

FORMAT_VERSION = 1
ANTONYM, CO_HYPONYM = "antonym", "co-hyponym"


class LexiconError(PairloomError, ValueError):
    """A table that cannot be used, in one line that names it and the rule."""


@dataclass(frozen=True)
class Synset:
    """One meaning: WordNet's id, its lexicographer file, what is right above it, and its gloss."""

    name: str
    lexname: str
    hypernyms: tuple[str, ...]
    gloss: str


@dataclass(frozen=True)
class NounSense:
    """A noun in one meaning.

    `count` is WordNet's count of this sense in tagged text. `family` names the words that may take
    its place, empty where none may. `countability` is count, mass, both, plural or unknown. `role`
    says whether a person listed the word and allows it as a substitute (`substitute`), listed it
    as a source only (`listed`), or WordNet alone knows it (`known`). `antonyms` are pairs of lemma
    and synset.
    """

    lemma: str
    synset: str
    count: int = 0
    family: str = ""
    countability: str = "unknown"
    role: str = "known"
    antonyms: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class AdjectiveSense:
    """An adjective in one meaning; `group` holds what takes its place besides antonyms.

    `group` is `colour`, the id of a cluster's head such as patterned.a.01, or empty.
    """

    lemma: str
    synset: str
    group: str = ""
    role: str = "substitute"
    antonyms: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, order=True)
class Substitute:
    """A word that may take another's place, with the sense it has and the relation they are in.

    `source_synset` is the sense of the replaced word that the relation holds for.
    """

    lemma: str
    synset: str
    relation: str
    source_synset: str
    countability: str = "count"
    listed: bool = True


@dataclass(frozen=True)
class Lexicon:
    """The whole table. Plain data: pickling it is safe, loading it takes a fraction of a second."""

    source: str
    synsets: Mapping[str, Synset]
    nouns: Mapping[str, tuple[NounSense, ...]]
    adjectives: Mapping[str, tuple[AdjectiveSense, ...]]
    compounds: frozenset[str]
    listed_compounds: frozenset[str]
    verbs: frozenset[str]
    wider: Mapping[str, str]
    listed_nouns: frozenset[str] = frozenset()
    _families: dict[str, tuple[NounSense, ...]] = field(default_factory=dict, repr=False)
    _ancestors: dict[str, frozenset[str]] = field(default_factory=dict, repr=False)
    _substitutes: dict[tuple[object, bool], list[Substitute]] = field(
        default_factory=dict, repr=False
    )

    def __post_init__(self) -> None:
        """Gathers the members of each family."""
        members: dict[str, list[NounSense]] = {}
        for senses in self.nouns.values():
            for sense in senses:
                if sense.family:
                    members.setdefault(sense.family, []).append(sense)
        self._families.update({name: tuple(found) for name, found in members.items()})

    def ancestors(self, synset: str) -> frozenset[str]:
        """Ids of `synset` and of everything above it; just itself where the table lacks it."""
        known = self._ancestors.get(synset)
        if known is None:
            row = self.synsets.get(synset)
            above = row.hypernyms if row else ()
            known = frozenset({synset}).union(*(self.ancestors(one) for one in above))
            self._ancestors[synset] = known
        return known

    def lexname(self, synset: str) -> str:
        """The lexicographer file of `synset`, such as noun.animal; empty where unknown."""
        row = self.synsets.get(synset)
        return row.lexname if row else ""

    def noun_substitutes(self, sense: NounSense, *, wide: bool = False) -> list[Substitute]:
        """What may take the place of a noun: its antonyms, and co-hyponyms of its family.

        A word above or below it (an animal for a dog, a puppy for a dog) is none. With `wide`,
        words of the families of the same wider kind are given instead. Sorted.
        """
        known = self._substitutes.get((sense, wide))
        if known is None:
            known = self._substitutes[sense, wide] = self._noun_substitutes(sense, wide=wide)
        return known

    def _noun_substitutes(self, sense: NounSense, *, wide: bool) -> list[Substitute]:
        found = [
            Substitute(lemma, synset, ANTONYM, sense.synset, self._countability(lemma, synset))
            for lemma, synset in sense.antonyms
        ]
        opposite = {one.lemma for one in found}
        own = self.ancestors(sense.synset)
        for member in self._wide_members(sense) if wide else self._families.get(sense.family, ()):
            related = member.synset in own or sense.synset in self.ancestors(member.synset)
            if related or member.lemma in opposite or member.role == "listed":
                continue
            found.append(
                Substitute(
                    member.lemma,
                    member.synset,
                    CO_HYPONYM,
                    sense.synset,
                    member.countability,
                    member.role == "substitute",
                )
            )
        return sorted(set(found))

    def adjective_substitutes(self, sense: AdjectiveSense) -> list[Substitute]:
        """What may take the place of an adjective: its antonyms, and its group. Sorted."""
        known = self._substitutes.get((sense, False))
        if known is None:
            known = self._substitutes[sense, False] = self._adjective_substitutes(sense)
        return known

    def _adjective_substitutes(self, sense: AdjectiveSense) -> list[Substitute]:
        found = [
            Substitute(lemma, synset, ANTONYM, sense.synset) for lemma, synset in sense.antonyms
        ]
        opposite = {one.lemma for one in found}
        if sense.group:
            for senses in self.adjectives.values():
                found += [
                    Substitute(other.lemma, other.synset, CO_HYPONYM, sense.synset)
                    for other in senses
                    if other.group == sense.group
                    and other.role == "substitute"
                    and other.synset != sense.synset
                    and other.lemma not in opposite
                ]
        return sorted(set(found))

    @property
    def kinds(self) -> frozenset[str]:
        """What words can be left out by: families, wide kinds of them, groups of adjectives."""
        groups = {sense.group for senses in self.adjectives.values() for sense in senses}
        return frozenset({*self.wider, *self.wider.values(), *groups}) - {""}

    def _wide_members(self, sense: NounSense) -> Iterable[NounSense]:
        kind = self.wider.get(sense.family, "")
        for family in sorted(self._families):
            if kind and family != sense.family and self.wider.get(family) == kind:
                yield from self._families[family]

    def _countability(self, lemma: str, synset: str) -> str:
        for sense in self.nouns.get(lemma, ()):
            if sense.synset == synset:
                return sense.countability
        return "unknown"


def packaged_table() -> Path:
    """The table that ships with the project.

    Raises:
        FileNotFoundError: the project is installed without its data.
    """
    return find_package_data("data_manifests", "lexicon/lexicon.tsv.gz")


def load_lexicon(path: str | None = None) -> Lexicon:
    """The table in the file `path`, or the one that ships with the project.

    Raises:
        LexiconError: there is no such file, or it is not a table of this format.
    """
    place = as_path(path) if path is not None else packaged_table()
    try:
        text = gzip.decompress(place.read_bytes()).decode()
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise LexiconError(f"{place} must be a gzipped word table: {error}") from None
    header, *lines = text.splitlines() or [""]
    fields = header.split("\t")
    if len(fields) != 4 or fields[:2] != ["pairloom-lexicon", str(FORMAT_VERSION)]:
        raise LexiconError(f"{place} must begin with pairloom-lexicon {FORMAT_VERSION}")
    rows: dict[str, list[list[str]]] = {}
    for line in lines:
        kind, *values = line.split("\t")
        rows.setdefault(kind, []).append(values)
    try:
        return _assemble(fields[2], rows)
    except (TypeError, ValueError) as error:
        raise LexiconError(f"{place} has a row of the wrong shape: {error}") from None


def _assemble(source: str, rows: Mapping[str, list[list[str]]]) -> Lexicon:
    nouns: dict[str, list[NounSense]] = {}
    for lemma, synset, count, family, countability, role, antonyms in rows.get("noun", ()):
        sense = NounSense(lemma, synset, int(count), family, countability, role, _pairs(antonyms))
        nouns.setdefault(lemma, []).append(sense)
    adjectives: dict[str, list[AdjectiveSense]] = {}
    for lemma, synset, group, role, antonyms in rows.get("adjective", ()):
        meaning = AdjectiveSense(lemma, synset, group, role, _pairs(antonyms))
        adjectives.setdefault(lemma, []).append(meaning)
    return Lexicon(
        source=source,
        synsets={
            name: Synset(name, lexname, _split(above), gloss)
            for name, lexname, above, gloss in rows.get("synset", ())
        },
        nouns={lemma: tuple(senses) for lemma, senses in nouns.items()},
        adjectives={lemma: tuple(senses) for lemma, senses in adjectives.items()},
        compounds=frozenset(name for name, _ in rows.get("compound", ())),
        listed_compounds=frozenset(
            name for name, role in rows.get("compound", ()) if role == "listed"
        ),
        verbs=frozenset(name for (name,) in rows.get("verb", ())),
        listed_nouns=frozenset(
            lemma for lemma, senses in nouns.items() if any(one.role != "known" for one in senses)
        ),
        wider=dict(rows.get("family", ())),
    )


def _split(text: str) -> tuple[str, ...]:
    return tuple(text.split(",")) if text else ()


def _pairs(text: str) -> tuple[tuple[str, str], ...]:
    pairs = (item.split("=") for item in _split(text))
    return tuple((lemma, synset) for lemma, synset in pairs)
