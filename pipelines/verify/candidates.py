"""What edits and their candidates say against one another and against the configuration."""

from collections.abc import Iterator
from itertools import pairwise

from pipelines.verify.selection_rules import Rules
from transforms.dataset.rows import Row
from transforms.record import Candidate, EditQuery
from transforms.scores import word_agreement

_SAME = 1e-6
"""Scores are kept as float32."""


def query_problems(row: Row, rules: Rules) -> Iterator[str]:
    """What an edit has that the configuration does not propose."""
    for column, allowed in rules.allowed.items():
        if row[column] not in allowed:
            said = " or ".join(allowed)
            yield f"{column} must be {said}, as the configuration says, got {row[column]!r}"
    if rules.attempts is not None and row["number"] >= rules.attempts:
        yield f"number must be below {rules.attempts}, the configuration's, got {row['number']}"


def candidate_problems(query: EditQuery) -> Iterator[str]:
    """What the candidates of an edit say against one another and against the edit."""
    rows = [candidate.row for candidate in query.candidates]
    if len(set(rows)) != len(rows):
        yield "no candidate may occur twice"
    if [each.scores.rank for each in query.candidates] != list(range(len(rows))):
        yield "candidates must be numbered by score_rank, from 0"
    scores = [each.scores.retrieval for each in query.candidates]
    found = [score for score in scores if score is not None]
    if len(found) < len(scores):
        yield "every candidate must have score_retrieval"
        return
    gaps = [one - two for one, two in pairwise(found)]
    if any(gap < 0 for gap in gaps):
        yield "candidates must be in the order of score_retrieval, the greatest first"
    margins = [each.scores.margin for each in query.candidates]
    if margins and (margins[-1] is not None or not all(map(_same, margins, gaps))):
        yield "score_margin must be score_retrieval less that of the next candidate"
    for candidate in query.candidates:
        yield from _words_problems(query, candidate)
        if candidate.key == query.source.key:
            yield "no candidate may be the source itself"
        elif candidate.content_sha256 == query.source.content_sha256:
            yield "no candidate may have the bytes of the source"


def _same(first: float | None, second: float | None) -> bool:
    if first is None or second is None:
        return first is second
    return abs(first - second) <= _SAME


def _words_problems(query: EditQuery, candidate: Candidate) -> Iterator[str]:
    """Scores that follow from texts and confidences alone."""
    words = word_agreement(
        edit_prompt=query.edit_prompt,
        source_word=query.source_word,
        target_word=query.target_word,
        caption=candidate.caption,
    )
    scores = candidate.scores
    for name in ("new_word", "old_word", "rest"):
        value, right = getattr(scores, name), getattr(words, name)
        if not _same(value, right):
            yield f"score_{name} must be {right:.6g}, what the texts give, got {value}"
    for side, own in (
        ("source", query.source.caption_confidence),
        ("target", candidate.caption_confidence),
    ):
        value = getattr(scores, f"{side}_confidence")
        if not _same(value, own):
            yield f"score_{side}_confidence must be that of the {side}'s caption, got {value}"
