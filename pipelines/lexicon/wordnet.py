"""Opens WordNet where a person has it: NLTK's data, or a folder of WordNet's own files.

NLTK's reader asks for a list of lexicographer files (`lexnames`) that Debian's `wordnet-base` does
not carry, for a folder below NLTK's data path, and for sense keys of other versions. A folder is
therefore copied to a temporary place with that list added, and the reader maps no versions.
"""

import contextlib
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from indexes.errors import PairloomError

NLTK = "nltk"
"""The word for NLTK's own data, in place of a folder."""
FILES = (
    *(f"{kind}.{part}" for kind in ("data", "index") for part in ("noun", "verb", "adj", "adv")),
    *(f"{part}.exc" for part in ("noun", "verb", "adj", "adv")),
    "cntlist.rev",
)
_NOUN_FILES = (
    "act animal artifact attribute body cognition communication event feeling food group "
    "location motive object person phenomenon plant possession process quantity relation "
    "shape state substance time "
)
_VERB_FILES = (
    "body change cognition communication competition consumption contact creation emotion "
    "motion perception possession social stative weather "
)
LEXICOGRAPHER_FILES = (
    *("adj.all", "adj.pert", "adv.all", "noun.Tops"),
    *(f"noun.{name}" for name in _NOUN_FILES.split()),
    *(f"verb.{name}" for name in _VERB_FILES.split()),
    "adj.ppl",
)
_PART_NUMBERS = {"noun": 1, "verb": 2, "adj": 3, "adv": 4}


class WordNetError(PairloomError):
    """WordNet cannot be read, in one line that names the place and the rule."""


def lexnames_text() -> str:
    """The file `lexnames`: number, name and part of speech of WordNet's 45 source files."""
    lines = []
    for number, name in enumerate(LEXICOGRAPHER_FILES):
        lines.append(f"{number:02d}\t{name}\t{_PART_NUMBERS[name.split('.')[0]]}\n")
    return "".join(lines)


@contextlib.contextmanager
def open_wordnet(place: str) -> Iterator[Any]:
    """NLTK's WordNet reader for `place`: the word `nltk`, or a folder such as /usr/share/wordnet.

    The reader is good inside the `with` block.

    Raises:
        WordNetError: `place` does not hold WordNet.
    """
    if place == NLTK:
        yield _from_nltk()
        return
    folder = Path(place)
    missing = [name for name in FILES if not (folder / name).is_file()]
    if missing:
        raise WordNetError(f"a WordNet folder must hold {missing[0]}, {place} does not")
    with tempfile.TemporaryDirectory(prefix="pairloom-wordnet-") as scratch:
        root = Path(scratch) / "wordnet"
        root.mkdir()
        for name in FILES:
            shutil.copyfile(folder / name, root / name)
        (root / "lexnames").write_text(lexnames_text(), encoding="ascii")
        with _readable(scratch):
            yield _open_folder(root)


def _from_nltk() -> Any:
    from nltk.corpus import wordnet

    try:
        wordnet.ensure_loaded()
    except LookupError:
        message = "NLTK has no corpora/wordnet; nltk.download('wordnet') gets it"
        raise WordNetError(message) from None
    return wordnet


@contextlib.contextmanager
def _readable(folder: str) -> Iterator[None]:
    """NLTK opens files below its data path only, so `folder` joins it for a while."""
    import nltk

    nltk.data.path.append(folder)
    try:
        yield
    finally:
        nltk.data.path.remove(folder)


def _open_folder(root: Path) -> Any:
    from nltk.corpus.reader.wordnet import WordNetCorpusReader

    class OneVersionReader(WordNetCorpusReader):
        """Needs no sense keys of other versions: they serve other languages only."""

        def map_wn(self, version: str = "wordnet") -> None:
            """No mapping."""

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The multilingual functions are not available")
        return OneVersionReader(str(root), None)
