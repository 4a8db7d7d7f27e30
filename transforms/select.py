"""Select: of a query's candidates the one that is a right pseudo-target, or why none is."""

import functools
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import apache_beam as beam

from transforms.batches.stages import MapBatches
from transforms.record import Batch, Candidate, EditExample, EditQuery, Reject, reject_query
from transforms.scores import MOST_QUALITY, rank_score, word_order

STAGE = "select"
NO_CANDIDATE = "no_candidate"
ENOUGH_EDITS = "enough_edits"

Order = Literal["quality", "retrieval"]


@dataclass(frozen=True, kw_only=True)
class SelectionThresholds:
    """What a candidate must reach to be taken. None switches a check off.

    Words of the candidate's own caption: `require_new_word` wants the target word in it,
    `forbid_old_word` the source word out of it; `rest` in [0, 1] is the least agreement of the
    other words, `word_order` in [0, 1] the least agreement in words and their order with the edit
    prompt (`transforms.scores.word_order`), which tells a red cup beside a blue box from the
    reverse. `source_confidence` and `target_confidence` in [0, 1] are the least confidence of the
    two captions; a caption without confidence came with its source and passes.

    Cosines, least values in [-1, 1]: `text_image_source`, `text_image_target`, `directional`.
    `structure` in [0, 1] is the least similarity of structure. `image_image` is the GREATEST
    cosine of the two pictures: above it they are too alike to show an edit. `quality` in [0, 2.75]
    is the least `quality`.

    `order` says which of the passing candidates is taken: `quality` the one with the best
    `quality`, `retrieval` the first by the query vector. A score that could not be measured fails
    the check that needs it, the captions' confidence excepted.

    Raises:
        ValueError: a value is out of its range.

    >>> from pairloom import SelectionThresholds
    >>> SelectionThresholds(structure=1.5)
    Traceback (most recent call last):
    ValueError: structure must be in [0, 1], got 1.5
    """

    require_new_word: bool = True
    forbid_old_word: bool = True
    rest: float | None = 0.9
    word_order: float | None = 0.9
    source_confidence: float | None = None
    target_confidence: float | None = None
    text_image_source: float | None = None
    text_image_target: float | None = None
    directional: float | None = None
    structure: float | None = None
    image_image: float | None = None
    quality: float | None = None
    order: Order = "quality"

    def __post_init__(self) -> None:
        shares = ("rest", "word_order", "source_confidence", "target_confidence", "structure")
        cosines = ("text_image_source", "text_image_target", "directional", "image_image")
        for names, least in ((shares, 0.0), (cosines, -1.0)):
            for name in names:
                value = getattr(self, name)
                if value is not None and not least <= value <= 1:
                    raise ValueError(f"{name} must be in [{least:g}, 1], got {value}")
        if self.quality is not None and not 0 <= self.quality <= MOST_QUALITY:
            raise ValueError(f"quality must be in [0, {MOST_QUALITY}], got {self.quality}")
        if self.order not in ("quality", "retrieval"):
            raise ValueError(f"order must be 'quality' or 'retrieval', got {self.order!r}")


def baseline() -> SelectionThresholds:
    """The paper's behaviour: the first candidate by the query vector, whatever it is."""
    return SelectionThresholds(
        require_new_word=False,
        forbid_old_word=False,
        rest=None,
        word_order=None,
        order="retrieval",
    )


def quality(query: EditQuery, candidate: Candidate) -> float:
    """How good a pseudo-target the candidate is: `rank_score` of its scores and word order."""
    return rank_score(candidate.scores, word_order(query.edit_prompt, candidate.caption))


def select(query: EditQuery, thresholds: SelectionThresholds) -> EditExample | Reject:
    """The pair of `query` with the best of its candidates that pass, or a Reject.

    Uses nothing but the query's texts and its candidates' texts and scores, so that it can be done
    again on stored ones. The Reject carries the candidate that passed most of the checks in their
    order (`REASONS` has that order), its scores, and as reason the first check it failed; without
    candidates the reason is `no_candidate`.
    """
    if not query.candidates:
        return reject_query(
            query, stage=STAGE, reason=NO_CANDIDATE, detail="the index offered no candidate"
        )
    judged = [(*_first_fault(query, each, thresholds), each) for each in query.candidates]
    passing = [candidate for _, fault, candidate in judged if fault is None]
    if passing:
        return EditExample(query=query, target=_first(query, passing, thresholds.order))
    most = max(passed for passed, _, _ in judged)
    faults = {candidate.row: fault for passed, fault, candidate in judged if passed == most}
    nearest = [candidate for passed, _, candidate in judged if passed == most]
    furthest = _first(query, nearest, thresholds.order)
    return reject_query(
        query,
        stage=STAGE,
        reason=_CHECKS[most].reason,
        detail=faults[furthest.row] or "",
        candidate=furthest,
    )


def select_batch(
    batch: Batch[EditQuery], thresholds: SelectionThresholds, *, edits: int
) -> Batch[EditExample]:
    """The pairs of `batch`, at most `edits` for each source, in the order of its queries.

    A pair beyond that number becomes a Reject `enough_edits`. All queries of a source are in one
    batch.
    """
    if edits < 1:
        raise ValueError(f"edits must be at least 1, got {edits}")
    taken: Counter[str] = Counter()
    examples: list[EditExample] = []
    rejects: list[Reject] = []
    for query in batch.records:
        outcome = select(query, thresholds)
        if isinstance(outcome, Reject):
            rejects.append(outcome)
        elif taken[query.source.key] == edits:
            rejects.append(_surplus(outcome, edits))
        else:
            taken[query.source.key] += 1
            examples.append(outcome)
    return Batch(batch.shard, batch.number, tuple(examples), (*batch.rejects, *rejects))


@beam.typehints.with_input_types(Batch)
@beam.typehints.with_output_types(Batch)
@dataclass
class Select(beam.PTransform):
    """Batches of EditQuery with candidates to batches of EditExample; see `select_batch`.

    `edits` pairs of a source at most, at least 1; below that the running pipeline raises
    `ValueError`. Rejects have one of `REASONS`.

    >>> import apache_beam as beam, pairloom
    >>> source = pairloom.StillLifeSource(count=1, told=True)
    >>> index, options = pairloom.open_index("small/index"), pairloom.RewriteOptions(edits=8)
    >>> with beam.Pipeline("FnApiRunner") as pipeline:
    ...     spans = pipeline | beam.Create(pairloom.plan_batches(source.shards()[0], 1))
    ...     told = spans | pairloom.Read(source) | pairloom.TakeSourceCaptions()
    ...     edits = told | pairloom.Rewrite(options, load_captions=index.captions)
    ...     found = edits | pairloom.EmbedQueries(pairloom.load_encoder) | pairloom.Retrieve(index)
    ...     chosen = found | pairloom.Select(pairloom.SelectionThresholds(rest=0.8))
    ...     _ = chosen | beam.Map(lambda batch: print(batch.records[0].target.key))
    still-life-0-50-00000004
    """

    thresholds: SelectionThresholds = field(default_factory=SelectionThresholds)
    edits: int = 1

    def expand(self, batches: beam.PCollection) -> beam.PCollection:
        """Selects in every batch."""
        choose = functools.partial(select_batch, thresholds=self.thresholds, edits=self.edits)
        return batches | "Select" >> MapBatches(choose, name="Select")


def _surplus(example: EditExample, edits: int) -> Reject:
    return reject_query(
        example.query,
        stage=STAGE,
        reason=ENOUGH_EDITS,
        detail=f"the source has its {edits} pairs already",
        candidate=example.target,
    )


def _first(query: EditQuery, candidates: Sequence[Candidate], order: Order) -> Candidate:
    """Of some candidates the one that is taken first."""
    if order == "retrieval":
        return min(candidates, key=_retrieval_place)
    return min(candidates, key=lambda each: (-quality(query, each), each.row))


def _retrieval_place(candidate: Candidate) -> tuple[int, int]:
    if candidate.scores.rank is None:
        raise ValueError(f"candidate {candidate.key} has no rank: Retrieve comes before Select")
    return candidate.scores.rank, candidate.row


def _first_fault(
    query: EditQuery, candidate: Candidate, thresholds: SelectionThresholds
) -> tuple[int, str | None]:
    """How many checks the candidate passed in a row, and what is wrong with the next, if any."""
    for passed, check in enumerate(_CHECKS):
        fault = check.fault(query, candidate, thresholds)
        if fault is not None:
            return passed, fault
    return len(_CHECKS), None


@dataclass(frozen=True)
class _Check:
    """One requirement: `fault` gives a line on how a candidate fails it, None where it passes."""

    reason: str
    fault: Callable[[EditQuery, Candidate, SelectionThresholds], str | None]


def _least(name: str, *, missing_passes: bool = False) -> Callable[..., str | None]:
    """The fault of a score below the threshold of the same name."""

    def fault(_: EditQuery, candidate: Candidate, limits: SelectionThresholds) -> str | None:
        value, least = getattr(candidate.scores, name), getattr(limits, name)
        if least is None or (value is None and missing_passes):
            return None
        if value is None:
            return f"{name} must be at least {least:g} and could not be measured"
        return f"{name} must be at least {least:g}, got {value:.3f}" if value < least else None

    return fault


def _lacks_new_word(
    query: EditQuery, candidate: Candidate, limits: SelectionThresholds
) -> str | None:
    if not limits.require_new_word or candidate.scores.new_word == 1:
        return None
    return f"{candidate.caption!r} must have {query.target_word!r}"


def _keeps_old_word(
    query: EditQuery, candidate: Candidate, limits: SelectionThresholds
) -> str | None:
    if not limits.forbid_old_word or candidate.scores.old_word == 0:
        return None
    return f"{candidate.caption!r} must not have {query.source_word!r}"


def _order_differs(
    query: EditQuery, candidate: Candidate, limits: SelectionThresholds
) -> str | None:
    if limits.word_order is None:
        return None
    agreement = word_order(query.edit_prompt, candidate.caption)
    if agreement >= limits.word_order:
        return None
    return f"word_order must be at least {limits.word_order:g}, got {agreement:.3f}"


def _too_alike(_: EditQuery, candidate: Candidate, limits: SelectionThresholds) -> str | None:
    value, most = candidate.scores.image_image, limits.image_image
    if most is None:
        return None
    if value is None:
        return f"image_image must be at most {most:g} and could not be measured"
    return f"image_image must be at most {most:g}, got {value:.3f}" if value > most else None


def _quality_too_low(
    query: EditQuery, candidate: Candidate, limits: SelectionThresholds
) -> str | None:
    if limits.quality is None:
        return None
    found = quality(query, candidate)
    if found >= limits.quality:
        return None
    return f"quality must be at least {limits.quality:g}, got {found:.3f}"


_CHECKS = (
    _Check("source_caption_unsure", _least("source_confidence", missing_passes=True)),
    _Check("source_unlike_caption", _least("text_image_source")),
    _Check("target_lacks_new_word", _lacks_new_word),
    _Check("target_keeps_old_word", _keeps_old_word),
    _Check("rest_differs", _least("rest")),
    _Check("order_differs", _order_differs),
    _Check("target_caption_unsure", _least("target_confidence", missing_passes=True)),
    _Check("too_alike", _too_alike),
    _Check("target_unlike_prompt", _least("text_image_target")),
    _Check("directional_too_low", _least("directional")),
    _Check("structure_differs", _least("structure")),
    _Check("quality_too_low", _quality_too_low),
)
"""All requirements: first what holds for every candidate of a query, then words, then cosines."""

REASONS = (NO_CANDIDATE, *(check.reason for check in _CHECKS), ENOUGH_EDITS)
"""Every reason a Reject of this stage can have."""
