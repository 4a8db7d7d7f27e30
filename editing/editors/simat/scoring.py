"""The SIMAT score: how often retrieval by picture and words finds what was asked for.

Section 3.2.4 of Couairon's thesis. A query counts as answered where one of its first n pictures
shows the target caption; queries are weighed, so that frequent words do not decide alone. The
source picture is never an answer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from editing.editors.simat.query_set import Numbers, QuerySet, SimatQuery, Weights
from indexes.search import Rows, Vectors
from transforms.models.adaptation_heads import AdaptationHeads
from transforms.query_arithmetic import mean_delta, move

QUERIES_AT_ONCE = 512
AT = (1, 5)
"""The n that are reported."""
LAMBDAS = (0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 3.0, 4.0)
"""Of the curve over lambda."""

DeltaOf = Literal["words", "captions", "sentences"]
Truth = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class SetEmbeddings:
    """Unit embeddings of a set: `images` (n, d) of its pictures, `captions` (c, d), and `words`.

    `sentences` has, by two words, embeddings (m, d) of sentences that hold the one and of the same
    sentences with the other in its place.
    """

    images: Vectors
    captions: Vectors
    words: Mapping[str, Vectors]
    sentences: Mapping[tuple[str, str], tuple[Vectors, Vectors]] = field(default_factory=dict)

    def through(self, heads: AdaptationHeads) -> "SetEmbeddings":
        """The same in the space of adaptation heads."""

        def texts(vectors: Vectors) -> Vectors:
            adapted: Vectors = heads.adapt_texts(vectors).astype(np.float32)
            return adapted

        return SetEmbeddings(
            images=heads.adapt_images(self.images).astype(np.float32),
            captions=texts(self.captions),
            words={word: texts(vector[None])[0] for word, vector in self.words.items()},
            sentences={
                words: (texts(before), texts(after))
                for words, (before, after) in self.sentences.items()
            },
        )

    def delta(self, query: SimatQuery, of: DeltaOf) -> Vectors:
        """E(target) - E(source) of a query, (d,)."""
        words = query.source_word, query.target_word
        if of == "captions":
            return mean_delta(
                self.captions[query.source_caption][None], self.captions[query.target_caption][None]
            )
        if of == "sentences":
            return mean_delta(*self.sentences[words])
        return mean_delta(*(self.words[word][None] for word in words))


@dataclass(frozen=True, kw_only=True, eq=False)
class SimatTask:
    """What is scored: a set, its embeddings, and who says what a picture shows.

    `oracle` (pictures, captions) has the probability that a picture shows a caption, by a network
    such as OSCAR; where it is None a picture shows its own caption alone.
    """

    queries: QuerySet
    embeddings: SetEmbeddings
    oracle: Truth | None = None

    def through(self, heads: AdaptationHeads) -> "SimatTask":
        """The same task with embeddings that went through heads."""
        return replace(self, embeddings=self.embeddings.through(heads))

    def deltas(self, places: Numbers, *, of: DeltaOf = "words") -> Vectors:
        """E(target) - E(source) of the queries at `places`, (n, d)."""
        asked = [self.queries.queries[place] for place in places]
        return np.stack([self.embeddings.delta(each, of) for each in asked])

    def starts(self, places: Numbers) -> Vectors:
        """The embedding of each query's picture, (n, d)."""
        return self.embeddings.images[[self.queries.queries[place].picture for place in places]]

    def nearest_captions(self, places: Numbers) -> Vectors:
        """The embedding of the caption nearest each query's picture, (n, d)."""
        captions = self.embeddings.captions
        found = [
            (self.starts(places[at : at + QUERIES_AT_ONCE]) @ captions.T).argmax(1)
            for at in range(0, len(places), QUERIES_AT_ONCE)
        ]
        nearest: Vectors = captions[np.concatenate(found)]
        return nearest

    def targets(self, places: Numbers) -> Vectors:
        """The embedding of each query's target caption, (n, d)."""
        asked = [self.queries.queries[place].target_caption for place in places]
        return self.embeddings.captions[asked]

    def search(self, vectors: Vectors, places: Numbers, k: int) -> Rows:
        """The `k` pictures nearest each vector but the query's own, best first, (n, k)."""
        images, found = self.embeddings.images, []
        own = np.array([self.queries.queries[place].picture for place in places])
        for at in range(0, len(places), QUERIES_AT_ONCE):
            some = slice(at, at + QUERIES_AT_ONCE)
            scores = vectors[some] @ images.T
            scores[np.arange(len(scores)), own[some]] = -np.inf
            best = np.argpartition(-scores, min(k, scores.shape[1] - 1), axis=1)[:, :k]
            order = np.lexsort((best, -np.take_along_axis(scores, best, 1)), axis=1)
            found.append(np.take_along_axis(best, order, 1))
        return np.concatenate(found).astype(np.int64)

    def right(self, rows: Rows, places: Numbers) -> npt.NDArray[np.bool_]:
        """Whether each of the pictures `rows` (n, k) shows what its query asks for."""
        targets = np.array([self.queries.queries[place].target_caption for place in places])
        if self.oracle is not None:
            shown: npt.NDArray[np.bool_] = self.oracle[rows, targets[:, None]] > 0.5
            return shown
        shows: npt.NDArray[np.bool_] = self.queries.shows[rows] == targets[:, None]
        return shows

    def score(self, vectors: Vectors, places: Numbers, *, at: Sequence[int] = AT) -> "SimatScore":
        """How the queries at `places` are answered, `vectors` being theirs."""
        right = self.right(self.search(vectors, places, max(at)), places)
        weights = self.queries.weights()[places]
        return SimatScore(
            answered={n: np.asarray(right[:, :n].any(1)) for n in at},
            weights=weights / weights.sum(),
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class SimatScore:
    """Which queries are answered by one of their first n pictures; the weights sum to 1."""

    answered: Mapping[int, npt.NDArray[np.bool_]]
    weights: Weights

    def at(self, n: int) -> float:
        """The score, in [0, 1] (eq. 3.1)."""
        return float((self.answered[n] * self.weights).sum())

    def share(self, n: int) -> float:
        """The share of queries that are answered, each counted once."""
        return float(self.answered[n].mean())

    def interval(self, n: int, *, seed: int = 0, draws: int = 1000) -> tuple[float, float]:
        """The 95% interval of the score, by bootstrap over queries."""
        rng, count = np.random.default_rng(seed), len(self.weights)
        scores = []
        for _ in range(draws):
            drawn = rng.integers(count, size=count)
            weights = self.weights[drawn]
            scores.append((self.answered[n][drawn] * weights).sum() / weights.sum())
        low, high = np.quantile(scores, (0.025, 0.975))
        return float(low), float(high)


def curve(
    task: SimatTask,
    places: Numbers,
    *,
    of: DeltaOf = "words",
    lambdas: Sequence[float] = LAMBDAS,
    through_text: bool = False,
) -> dict[float, SimatScore]:
    """The scores of delta queries by lambda; `of` is that of `SimatTask.deltas`.

    With `through_text` the delta is added to the caption nearest the picture: the thesis's baseline
    image to text to image.
    """
    starts = task.nearest_captions(places) if through_text else task.starts(places)
    deltas = task.deltas(places, of=of)
    return {scale: task.score(move(starts, deltas, weight=scale), places) for scale in lambdas}


def best_lambda(scores: Mapping[float, SimatScore], *, n: int = 1) -> float:
    """The lambda with the highest score; of equal ones the one nearest 1."""
    return max(scores, key=lambda scale: (scores[scale].at(n), -abs(scale - 1)))
