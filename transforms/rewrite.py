"""Rewrite: batches of captioned pictures to batches of edit queries.

`transforms.proposals` says how an edit is found; its names are importable from here.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache

import apache_beam as beam

from transforms.lexicon import Lexicon, load_lexicon
from transforms.proposals import Proposal, RewriteOptions, Rewriter
from transforms.record import Batch, EditQuery, Reject, SourceImage, reject_source
from transforms.senses import SenseScorer

__all__ = ["Proposal", "Rewrite", "RewriteOptions", "Rewriter", "rewrite_batch"]


def rewrite_batch(
    batch: Batch[SourceImage],
    rewriter: Rewriter,
    *,
    scorer_for: Callable[[SourceImage], SenseScorer | None] | None = None,
) -> Batch[EditQuery]:
    """The proposed edits of every picture of `batch`, in order; without one, a reject.

    Args:
        batch: captioned pictures. One without a caption is rejected as `no_caption`, one whose
            caption offers nothing to change as `nothing_to_change`.
        rewriter: proposes the edits.
        scorer_for: gives the picture's own opinion on senses, where there is one.
    """
    queries: list[EditQuery] = []
    rejects: list[Reject] = []
    for source in batch.records:
        if not source.caption or not source.caption.strip():
            rejects.append(
                reject_source(
                    source,
                    stage="rewrite",
                    reason="no_caption",
                    detail="a picture must have a caption to be rewritten",
                )
            )
            continue
        scorer = scorer_for(source) if scorer_for is not None else None
        proposals = rewriter.propose(source.caption, source.key, scorer)
        queries += [_query(source, number, one) for number, one in enumerate(proposals)]
        if not proposals:
            detail = f"no noun or adjective of {source.caption!r} has a visible substitute"
            rejects.append(
                reject_source(source, stage="rewrite", reason="nothing_to_change", detail=detail)
            )
    return Batch(batch.shard, batch.number, tuple(queries), (*batch.rejects, *rejects))


def _query(source: SourceImage, number: int, one: Proposal) -> EditQuery:
    return EditQuery(
        source=source,
        number=number,
        caption=one.caption,
        edit_prompt=one.edit_prompt,
        source_word=one.source_word,
        target_word=one.target_word,
        source_phrase=one.source_phrase,
        target_phrase=one.target_phrase,
        relation=one.relation,
        part_of_speech=one.part_of_speech,
        source_synset=one.source_synset,
        target_synset=one.target_synset,
        alternatives=one.alternatives,
    )


@cache
def _lexicon_of_process(path: str | None) -> Lexicon:
    return load_lexicon(path)


class _RewriteBatches(beam.DoFn):
    """Loads the table once a process; the rest is `rewrite_batch`."""

    def __init__(
        self, options: RewriteOptions, lexicon: str | None, word_counts: Mapping[str, int] | None
    ) -> None:
        self._options = options
        self._path = lexicon
        self._word_counts = word_counts
        self._rewriter: Rewriter | None = None
        self._proposed = beam.metrics.Metrics.counter("rewrite", "proposed")
        self._rejected = beam.metrics.Metrics.counter("rewrite", "rejected")

    def setup(self) -> None:
        """Loads the table."""
        lexicon = _lexicon_of_process(self._path)
        self._rewriter = Rewriter(lexicon, self._options, self._word_counts)

    def process(self, batch: Batch[SourceImage]) -> Iterator[Batch[EditQuery]]:
        """One batch of queries for one batch of pictures."""
        if self._rewriter is None:
            raise RuntimeError("setup must run before process")
        rewritten = rewrite_batch(batch, self._rewriter)
        self._proposed.inc(len(rewritten.records))
        self._rejected.inc(len(rewritten.rejects) - len(batch.rejects))
        yield rewritten


@beam.typehints.with_input_types(Batch)
@beam.typehints.with_output_types(Batch)
@dataclass
class Rewrite(beam.PTransform):
    """Batches of captioned pictures to batches of edit queries.

    Args:
        options: what may be proposed.
        lexicon: file of the word table; None for the one that ships with the project.
        word_counts: document frequency of lower-cased words in the pool's captions, or None.
    """

    options: RewriteOptions = field(default_factory=RewriteOptions)
    lexicon: str | None = None
    word_counts: Mapping[str, int] | None = None

    def expand(self, batches: beam.PCollection) -> beam.PCollection:
        """Wires `rewrite_batch`."""
        rewriting = _RewriteBatches(self.options, self.lexicon, self.word_counts)
        return batches | "Rewrite" >> beam.ParDo(rewriting).with_input_types(
            Batch
        ).with_output_types(Batch)
