"""What the index offers for an edit, and what is measured on it.

`transforms.record` has these names too, beside those of the other records.
"""

import dataclasses
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Scores:
    """Everything measured on one (query, candidate) pair; None where it could not be measured.

    Cosines lie in [-1, 1]. `retrieval` is the inner product of the query vector and the candidate,
    `rank` its place from 0, `margin` the distance to the next candidate. `text_image_source` and
    `text_image_target` compare each picture with its own words, `directional` the change of picture
    with the change of words (Gal et al. 2022), `image_image` the two pictures. `structure` is the
    cosine of the two structure maps. `new_word` is 1 where the target's own caption holds the
    target word and 0 where not, `old_word` likewise for the source word, `rest` the share of the
    remaining words of the edit prompt and the target's caption on which both agree (multiset
    Jaccard index, in [0, 1]). `source_confidence` and `target_confidence` are the two captions'.

    >>> from pairloom import Scores
    >>> Scores(retrieval=0.86, rank=0, new_word=1.0).as_dict()
    {'retrieval': 0.86, 'rank': 0.0, 'new_word': 1.0}
    """

    retrieval: float | None = None
    rank: int | None = None
    margin: float | None = None
    text_image_source: float | None = None
    text_image_target: float | None = None
    directional: float | None = None
    image_image: float | None = None
    structure: float | None = None
    new_word: float | None = None
    old_word: float | None = None
    rest: float | None = None
    source_confidence: float | None = None
    target_confidence: float | None = None

    def as_dict(self) -> dict[str, float]:
        """The scores that were measured, by name."""
        values = dataclasses.asdict(self)
        return {name: float(value) for name, value in values.items() if value is not None}


SCORE_NAMES = tuple(f.name for f in dataclasses.fields(Scores))


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One picture of the index proposed as the pseudo-target of a query.

    `row` is its place in the index; the other fields are the index's metadata for that row, named
    as in `SourceImage`. `scores` is empty until Retrieve.

    >>> from pairloom import Candidate, Scores
    >>> candidate = Candidate(
    ...     row=4,
    ...     key="still-life-0-50-00000004",
    ...     reference="still-life:still-life-0-50-00000004",
    ...     content_sha256="",
    ...     caption="a small red chair on the left of a patterned background",
    ...     scores=Scores(retrieval=0.86, rank=0),
    ... )
    >>> candidate.scores.rank
    0
    """

    row: int
    key: str
    reference: str
    content_sha256: str
    caption: str
    caption_confidence: float | None = None
    url: str | None = None
    licence: str | None = None
    nsfw: str | None = None
    watermark: float | None = None
    language: str | None = None
    similarity: float | None = None
    scores: Scores = field(default_factory=Scores)
