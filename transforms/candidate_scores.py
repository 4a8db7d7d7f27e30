"""Everything that is measured on an edit and the pictures that could stand for its result.

All candidates of a query are measured together, and the index is read once for a batch of queries;
each number depends on its own query and picture alone.
"""

from collections.abc import Sequence

import numpy as np

from indexes.folder import PictureRow
from indexes.search import Vectors
from transforms.pictures.structure import structure_similarities
from transforms.pool_rows import PoolEntries, PoolRows, inner_products
from transforms.record import Candidate, EditQuery, Scores
from transforms.scores import EditWords, as_vector, directional, margins, stored


def score_rows(
    query: EditQuery,
    rows: Sequence[int],
    *,
    pool: PoolRows,
    entries: PoolEntries,
    retrieval: Vectors,
) -> tuple[Candidate, ...]:
    """The pictures in `rows` as candidates with every score, by falling `retrieval`, then row.

    `retrieval` (n,) is what the query vector gives each of them.

    A candidate that the query came with keeps the caption it came with: of a picture that has
    several, that is the one which was mined.
    """
    if not rows:
        return ()
    embeddings = pool.embeddings(rows)
    order = np.lexsort((np.asarray(rows), -retrieval))
    ranked = [rows[place] for place in order]
    embeddings = embeddings[order]
    falling: list[float] = retrieval[order].tolist()
    source_image = as_vector(query.source_embedding)
    caption, edit = as_vector(query.caption_embedding), as_vector(query.edit_embedding)
    own = float(inner_products(source_image, caption.astype(np.float64)[None])[0])
    structures = structure_similarities(query.source_structure, pool.structures(ranked))
    words = EditWords.of(query.edit_prompt, query.source_word, query.target_word)
    confidence = _stored(query.source.caption_confidence)
    mined = {each.row: each.caption for each in query.candidates if each.caption}
    measured = zip(
        range(len(ranked)),
        map(entries.__getitem__, ranked),
        falling,
        margins(falling),
        inner_products(edit, embeddings).tolist(),
        directional(source_image, embeddings, caption, edit),
        inner_products(source_image, embeddings).tolist(),
        structures.astype(np.float32).tolist(),
        strict=True,
    )
    candidates = []
    for rank, entry, score, margin, text_image, direction, image_image, structure in measured:
        caption = mined.get(entry.row, entry.caption)
        agreement = words.agreement(caption)
        scores = Scores(
            retrieval=score,
            rank=rank,
            margin=margin,
            text_image_source=own,
            text_image_target=text_image,
            directional=direction,
            image_image=image_image,
            structure=structure,
            new_word=agreement.new_word,
            old_word=agreement.old_word,
            rest=agreement.rest,
            source_confidence=confidence,
            target_confidence=_stored(entry.caption_confidence),
        )
        candidates.append(_candidate(entry, caption, scores))
    return tuple(candidates)


def _candidate(entry: PictureRow, caption: str, scores: Scores) -> Candidate:
    return Candidate(
        row=entry.row,
        key=entry.key,
        reference=entry.reference,
        content_sha256=entry.content_sha256,
        caption=caption,
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
