"""Rewrite: batches of captioned pictures to batches of edit queries.

`transforms.words.proposals` says how an edit is found; its names are importable from here.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import apache_beam as beam

from transforms.batches.stages import RunBatches
from transforms.pictures.decoding import decode_kept
from transforms.protocols import Captioner, Encoder
from transforms.record import Batch, EditQuery, Reject, SourceImage, reject_source
from transforms.words.edits import Proposal
from transforms.words.gate import why_no_caption
from transforms.words.instructions import instruct
from transforms.words.proposals import RewriteOptions, Rewriter, load_rewriter
from transforms.words.senses import PictureSenseScorer, SenseScorer

__all__ = ["Proposal", "Rewrite", "RewriteOptions", "Rewriter", "rewrite_batch"]


def rewrite_batch(
    batch: Batch[SourceImage],
    rewriter: Rewriter,
    *,
    scorer_for: Callable[[SourceImage], SenseScorer | None] | None = None,
) -> Batch[EditQuery]:
    """The proposed edits of every picture of `batch`, in order; without one, a reject.

    Args:
        batch: captioned pictures. One without a caption is rejected as `no_caption`, one whose text
            describes no picture as `not_descriptive`, one whose caption offers nothing to change as
            `nothing_to_change`.
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
        queries += [
            instruct(_query(source, number, one), rewriter.instructions)
            for number, one in enumerate(proposals)
        ]
        if not proposals:
            why = why_no_caption(source.caption)
            reason = "not_descriptive" if why else "nothing_to_change"
            detail = why or f"no noun or adjective of {source.caption!r} has a visible substitute"
            rejects.append(reject_source(source, stage="rewrite", reason=reason, detail=detail))
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


@dataclass(frozen=True)
class Rewriting:
    """What Rewrite needs in a worker: the rules, and the encoder where pictures choose senses."""

    rewriter: Rewriter
    encoder: Encoder | None = None


@dataclass(frozen=True)
class LoadRewriting:
    """Loads the word table once a process, and the encoder and the pool's captions if asked to.

    `by_picture` says whether the encoder, where there is one, looks at pictures.
    """

    options: RewriteOptions
    lexicon: str | None
    load_captions: Callable[[], Iterable[str]] | None
    load_encoder: Callable[[], Encoder] | None
    by_picture: bool = True
    load_captioner: Callable[[], Captioner] | None = None

    def __call__(self) -> Rewriting:
        """The rules and the encoder."""
        encoder = self.load_encoder() if self.load_encoder is not None else None
        captions = self.load_captions() if self.load_captions is not None else None
        captioner = self.load_captioner() if self.load_captioner is not None else None
        rewriter = load_rewriter(
            self.options, captions, lexicon=self.lexicon, encoder=encoder, captioner=captioner
        )
        return Rewriting(rewriter, encoder if self.by_picture else None)


class SourceSenseScorer:
    """The opinion of one source picture on senses; it is embedded only if a word has several."""

    def __init__(self, image: bytes, encoder: Encoder) -> None:
        self._image = image
        self._encoder = encoder
        self._scorer: PictureSenseScorer | None = None

    def score(self, glosses: Sequence[str]) -> Sequence[float]:
        """One log-probability for each gloss, in order."""
        if self._scorer is None:
            (picture,) = self._encoder.encode_images([decode_kept(self._image)])
            self._scorer = PictureSenseScorer(picture, self._encoder)
        return self._scorer.score(glosses)


def apply_rewriting(batch: Batch[SourceImage], rewriting: Rewriting) -> Batch[EditQuery]:
    """`rewrite_batch` with what was loaded."""
    encoder = rewriting.encoder
    if encoder is None:
        return rewrite_batch(batch, rewriting.rewriter)
    return rewrite_batch(
        batch,
        rewriting.rewriter,
        scorer_for=lambda source: (
            SourceSenseScorer(source.image, encoder) if source.image is not None else None
        ),
    )


@beam.typehints.with_input_types(Batch)
@beam.typehints.with_output_types(Batch)
@dataclass
class Rewrite(beam.PTransform):
    """Batches of captioned pictures to batches of edit queries.

    Args:
        options: what may be proposed.
        lexicon: file of the word table; None for the one that ships with the project.
        load_captions: gives the pool's captions, or as many as tell what its words stand beside:
            a substitute must occur there, and in company like this; None for no restriction.
            Hashable, called once a process.
        load_encoder: gives the encoder by which the picture has a say in which sense of a word is
            meant; None to go by frequency and the caption's other words. Hashable. The same encoder
            judges edits where `options.judge` says so.
        by_picture: whether the picture has that say where there is an encoder.
        load_captioner: gives the captioner that judges edits where `options.judge` says so.
            Hashable.

    Raises:
        LexiconError, TaggerError, ModelError: while the pipeline runs, where the table, the tagger
            or a network cannot be loaded.

    >>> import apache_beam as beam, pairloom
    >>> source = pairloom.StillLifeSource(count=1, told=True)
    >>> index = pairloom.open_index("small/index")
    >>> with beam.Pipeline("FnApiRunner") as pipeline:
    ...     spans = pipeline | beam.Create(pairloom.plan_batches(source.shards()[0], 1))
    ...     told = spans | pairloom.Read(source) | pairloom.TakeSourceCaptions()
    ...     edits = told | pairloom.Rewrite(load_captions=index.captions)
    ...     _ = edits | beam.Map(lambda batch: print(batch.records[0].edit_prompt))
    a large yellow chair on the left of a patterned background
    """

    options: RewriteOptions = field(default_factory=RewriteOptions)
    lexicon: str | None = None
    load_captions: Callable[[], Iterable[str]] | None = None
    load_encoder: Callable[[], Encoder] | None = None
    by_picture: bool = True
    load_captioner: Callable[[], Captioner] | None = None

    def expand(self, batches: beam.PCollection) -> beam.PCollection:
        """Wires `rewrite_batch`."""
        load = LoadRewriting(
            self.options,
            self.lexicon,
            self.load_captions,
            self.load_encoder,
            self.by_picture,
            self.load_captioner,
        )
        return batches | RunBatches(load=load, apply=apply_rewriting, name="Rewrite")
