"""A set of SIMAT's kind on the still life, with exact truth: pictures, queries, embeddings."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from editing.editors.simat.pool import exchange
from editing.editors.simat.query_set import Numbers, QuerySet, SimatQuery
from editing.editors.simat.scoring import SetEmbeddings, SimatTask
from indexes.search import Vectors
from stilllife.scene import Scene
from stilllife.truth import attribute_of, position_error, possible_edits
from support.simat_pool import DrawnPool
from transforms.protocols import Encoder

SENTENCES = 64
"""So many captions with a word give its delta of sentences."""


@dataclass(frozen=True, kw_only=True, eq=False)
class LifeSet:
    """Pictures of a pool with so many things each, and all feasible queries on them.

    `scenes` is what they truly show, `structures` (n, 256) their structure maps.
    """

    scenes: Sequence[Scene]
    images: Vectors
    structures: npt.NDArray[np.uint8]
    queries: QuerySet

    def drawn(self, count: int, *, is_test: bool, seed: int) -> Numbers:
        """`count` places of queries of one half, drawn; all where there are fewer."""
        places = self.queries.half(is_test=is_test)
        rng = np.random.default_rng([seed, is_test])
        chosen: Numbers = rng.permutation(places)[:count]
        return chosen

    def positions(self, places: Numbers, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """How far things of the pictures `rows` (n,) lie from where they lay, in pixels (n,)."""
        sources = [self.queries.queries[place].picture for place in places]
        return np.array(
            [
                position_error(self.scenes[source], self.scenes[row])
                for source, row in zip(sources, rows, strict=True)
            ],
            dtype=np.float64,
        )


def life_set(pool: DrawnPool, *, things: int, seed: int) -> LifeSet:
    """The set of a pool's pictures with `things` things; a seeded half of them is for tests.

    A query is an edit that the world knows and whose result another picture of the set shows.
    """
    rows = [row for row, scene in enumerate(pool.scenes) if len(scene.things) == things]
    scenes = [pool.scenes[row] for row in rows]
    texts = [scene.caption() for scene in scenes]
    numbers = {text: number for number, text in enumerate(dict.fromkeys(texts))}
    halves = np.random.default_rng([seed, things]).permutation(len(rows)) < len(rows) / 2
    queries = [
        _query(texts[place], edit, picture=place, numbers=numbers, is_test=bool(halves[place]))
        for place, scene in enumerate(scenes)
        for edit in possible_edits(scene)
        if edit in numbers
    ]
    return LifeSet(
        scenes=scenes,
        images=pool.vectors[rows],
        structures=pool.maps[rows],
        queries=QuerySet(
            pictures=[pool.pictures[row].key for row in rows],
            captions=list(numbers),
            shows=np.array([numbers[text] for text in texts], dtype=np.int64),
            queries=queries,
        ),
    )


def _query(
    caption: str, edit: str, *, picture: int, numbers: dict[str, int], is_test: bool
) -> SimatQuery:
    exchanged = zip(caption.split(), edit.split(), strict=True)
    [(before, after)] = [pair for pair in exchanged if pair[0] != pair[1]]
    return SimatQuery(
        picture=picture,
        field=attribute_of(after),
        source_word=before,
        target_word=after,
        source_caption=numbers[caption],
        target_caption=numbers[edit],
        is_test=is_test,
    )


def embed_set(found: LifeSet, encoder: Encoder, *, sentences: Sequence[str]) -> SimatTask:
    """The task of a set by an encoder; `sentences` are captions of OTHER pictures."""
    queries = found.queries
    words = queries.words()
    pairs = {(each.source_word, each.target_word) for each in queries.queries}
    embeddings = SetEmbeddings(
        images=found.images,
        captions=encoder.encode_texts(queries.captions),
        words=dict(zip(words, encoder.encode_texts(words), strict=True)),
        sentences={pair: _sentence_pairs(*pair, sentences, encoder) for pair in sorted(pairs)},
    )
    return SimatTask(queries=queries, embeddings=embeddings)


def _sentence_pairs(
    before: str, after: str, sentences: Sequence[str], encoder: Encoder
) -> tuple[Vectors, Vectors]:
    holding = [each for each in dict.fromkeys(sentences) if before in each.split()][:SENTENCES]
    changed = [exchange(each, before, after) for each in holding]
    return encoder.encode_texts(holding), encoder.encode_texts(changed)
