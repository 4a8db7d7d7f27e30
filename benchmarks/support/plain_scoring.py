"""The stage Retrieve as it reads in its description: one query and one candidate at a time.

Each candidate is read from the index by itself, and all that is measured on it is measured there
and then. It says what the stage must say, and is what the stage's speed is told against.
"""

import dataclasses
from collections import Counter
from collections.abc import Sequence

import numpy as np

from indexes.captions import caption_words
from indexes.folder import PictureIndex
from indexes.search import NO_ROW, Vectors, score_pairs
from transforms.pictures.structure import structure_similarities
from transforms.record import Candidate, EditQuery, Scores
from transforms.retrieve import EXCLUDED_RESERVE, RetrieveOptions, query_vectors
from transforms.scores import ARTICLES, as_vector, directional, margins, same_word, stored


def retrieve_plainly(
    queries: Sequence[EditQuery], index: PictureIndex, options: RetrieveOptions
) -> list[EditQuery]:
    """The queries with their candidates, of both kinds, scored; the pool must have enough."""
    vectors = query_vectors(queries, options)
    depth = min(options.k + EXCLUDED_RESERVE, len(index))
    _, found = index.search(vectors, depth)
    finished = []
    for query, vector, near in zip(queries, vectors, found.tolist(), strict=True):
        rows = [row for row in near if row != NO_ROW and _may_be(query, row, index, options)]
        rows = list(dict.fromkeys([*rows[: options.k], *_worded(query, index, options)]))
        finished.append(dataclasses.replace(query, candidates=_score(query, rows, vector, index)))
    return finished


def _worded(query: EditQuery, index: PictureIndex, options: RetrieveOptions) -> list[int]:
    rows = [
        row
        for row in index.rows_with_caption(query.edit_prompt)
        if _may_be(query, row, index, options)
    ]
    likeness = {row: (_structure(query, row, index), _image(query, row, index)) for row in rows}
    rows.sort(key=lambda row: (-likeness[row][0], -likeness[row][1], row))
    return rows[: options.cap]


def _may_be(query: EditQuery, row: int, index: PictureIndex, options: RetrieveOptions) -> bool:
    if options.near_copy is not None and _image(query, row, index) > options.near_copy:
        return False
    source = query.source
    return index.key(row) != source.key and index.content(row) != source.content_sha256


def _image(query: EditQuery, row: int, index: PictureIndex) -> float:
    return _cosine(as_vector(query.source_embedding), index.embedding(row))


def _structure(query: EditQuery, row: int, index: PictureIndex) -> float:
    return float(structure_similarities(query.source_structure, index.structures([row]))[0])


def _cosine(one: Vectors, other: Vectors) -> float:
    return float(score_pairs(one, other[None])[0])


def _score(
    query: EditQuery, rows: Sequence[int], vector: Vectors, index: PictureIndex
) -> tuple[Candidate, ...]:
    retrieval = {row: _cosine(vector, index.embedding(row)) for row in rows}
    ranked = sorted(rows, key=lambda row: (-retrieval[row], row))
    gaps = margins([retrieval[row] for row in ranked])
    return tuple(
        _candidate(query, row, index, retrieval=retrieval[row], rank=rank, margin=gap)
        for rank, (row, gap) in enumerate(zip(ranked, gaps, strict=True))
    )


def _candidate(
    query: EditQuery,
    row: int,
    index: PictureIndex,
    *,
    retrieval: float,
    rank: int,
    margin: float | None,
) -> Candidate:
    entry, embedding = index.row(row), index.embedding(row)
    source = as_vector(query.source_embedding)
    caption, edit = as_vector(query.caption_embedding), as_vector(query.edit_embedding)
    new, old, rest = _compare_words(query, entry.caption)
    scores = Scores(
        retrieval=retrieval,
        rank=rank,
        margin=margin,
        text_image_source=_cosine(source, caption),
        text_image_target=_cosine(edit, embedding),
        directional=directional(source, embedding[None], caption, edit)[0],
        image_image=_cosine(source, embedding),
        structure=stored(_structure(query, row, index)),
        new_word=new,
        old_word=old,
        rest=rest,
        source_confidence=_stored(query.source.caption_confidence),
        target_confidence=_stored(entry.caption_confidence),
    )
    return Candidate(
        row=row,
        key=entry.key,
        reference=entry.reference,
        content_sha256=entry.content_sha256,
        caption=entry.caption,
        caption_confidence=entry.caption_confidence,
        url=entry.url,
        licence=entry.licence,
        nsfw=entry.nsfw,
        watermark=entry.watermark,
        language=entry.language,
        similarity=entry.similarity,
        scores=scores,
    )


def _stored(value: float | None) -> float | None:
    return None if value is None else stored(value)


def _compare_words(query: EditQuery, caption: str) -> tuple[float, float, float]:
    """`new_word`, `old_word` and `rest` of `transforms.record.Scores`."""
    prompt, words = caption_words(query.edit_prompt), caption_words(caption)
    new = _count(words, query.target_word) >= max(1, _count(prompt, query.target_word))
    old = _count(words, query.source_word) > _count(prompt, query.source_word)
    one = Counter(_others(prompt, query.target_word))
    other = Counter(_others(words, query.target_word))
    either = (one | other).total()
    rest = (one & other).total() / either if either else 1.0
    return float(new), float(old), float(np.float32(rest))


def _places(words: Sequence[str], term: str) -> list[int]:
    wanted = caption_words(term)
    starts = range(len(words) - len(wanted) + 1)
    return [n for n in starts if all(map(same_word, words[n : n + len(wanted)], wanted))]


def _count(words: Sequence[str], term: str) -> int:
    return len(_places(words, term))


def _others(words: Sequence[str], term: str) -> list[str]:
    for start in _places(words, term)[:1]:
        words = [*words[:start], *words[start + len(caption_words(term)) :]]
    return [word for word in words if word not in ARTICLES]
