"""The editor `simat`: a query of picture and words, and the pictures of an index nearest it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import torch

from editing.editors.simat.explaining import draw_found
from editing.editors.simat.finding import Asked, find_rows
from editing.editors.simat.pool import Pool, exchange, open_pool
from editing.editors.simat.settings import SimatSettings
from editing.errors import EditError
from editing.parts import OpenSource
from editing.pictures import resize
from editing.requests import ChangedSpan, Edit, EditOutput, OnStep, Request, changed_spans
from indexes.search import Vectors
from transforms.models.adaptation_heads import AdaptationHeads
from transforms.pictures.structure import structure_map
from transforms.protocols import Encoder
from transforms.query_arithmetic import add_delta, mean_delta, sum_deltas

EXPLAINED = 5
"""So many of the nearest pictures are drawn where an edit is explained."""


@dataclass(frozen=True, eq=False, kw_only=True)
class SimatEditor:
    """Gives, of an index, the picture that lies where the change of words moves the source to.

    `identity` tells the encoder from another, `open_source` opens the index's source, `heads` are
    the adaptation heads in whose space the query is made, None for the encoder's own.
    """

    encoder: Encoder
    identity: str
    open_source: OpenSource | None
    heads: AdaptationHeads | None = None
    _pools: dict[str | None, Pool] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if self.heads is not None:
            self.heads.require_encoder(self.identity)

    def edit(
        self,
        requests: Sequence[Request],
        settings: SimatSettings,
        generators: Sequence[torch.Generator],
        on_step: OnStep,
    ) -> list[EditOutput]:
        """The pictures found, at the source's size, with their keys and the query's scores.

        Raises:
            SettingError: no index is named, or nothing opens its source.
            IndexFolderError: the index cannot be used.
            EditError: the words ask for no change, a picture cannot be had, or there is none.
        """
        pool = self._pool(settings.index)
        outputs = []
        for request in requests:
            outputs.append(self._find(request, settings, pool))
            on_step()
        return outputs

    def _pool(self, folder: str | None) -> Pool:
        if folder not in self._pools:
            self._pools[folder] = open_pool(
                folder, identity=self.identity, open_source=self.open_source, heads=self.heads
            )
        return self._pools[folder]

    def _find(self, request: Request, settings: SimatSettings, pool: Pool) -> EditOutput:
        image = self.encoder.encode_images([request.image])[0]
        asked = Asked(
            image=image,
            query=self.query(request, settings, pool, image=image),
            structure=structure_map(request.image) if settings.structure_weight > 0 else b"",
        )
        found = find_rows(asked, settings, pool, wanted=max(request.results, EXPLAINED))
        if not found:
            raise EditError("the index has no picture but the source itself and its copies")
        edits = tuple(
            Edit(resize(pool.picture(each.row), request.image.size), each.score, each.row.key)
            for each in found[: request.results]
        )
        return EditOutput(edits, explain=partial(draw_found, request, pool, found[:EXPLAINED]))

    def query(
        self, request: Request, settings: SimatSettings, pool: Pool, *, image: Vectors
    ) -> Vectors:
        """The unit vector that is searched for, in the pool's space; `image` is the encoder's.

        Raises:
            EditError: the words ask for no change.
        """
        if settings.delta == "none":
            [prompt] = self._texts([request.prompt], pool)
            vector: Vectors = prompt
            return vector
        delta = self._delta(request, settings, pool)
        return add_delta(pool.space.image(image), delta, weight=settings.weight)

    def _delta(self, request: Request, settings: SimatSettings, pool: Pool) -> Vectors:
        caption = request.source_prompt or ""
        spans = changed_spans(caption, request.prompt)
        if not spans:
            raise EditError(f"the prompt must differ from what the picture shows, {caption!r}")
        if settings.delta == "caption":
            return self._mean_delta([caption], [request.prompt], pool)
        of = self._words_delta if settings.delta == "words" else self._sentences_delta
        deltas = [of(span, settings, pool) for span in spans]
        return sum_deltas(deltas, dimension=len(deltas[0]))

    def _words_delta(self, span: ChangedSpan, settings: SimatSettings, pool: Pool) -> Vectors:
        """Of what is only added or left out, half of a delta is there."""
        if span.before and span.after:
            return self._mean_delta([span.before], [span.after], pool)
        [text] = self._texts([span.after or span.before], pool)
        delta: Vectors = text if span.after else -text
        return delta

    def _sentences_delta(self, span: ChangedSpan, settings: SimatSettings, pool: Pool) -> Vectors:
        """Where no caption has the words, the delta of the words themselves."""
        sentences = pool.sentences(span.before, settings.sentences) if span.before else []
        if not sentences:
            return self._words_delta(span, settings, pool)
        changed = [exchange(sentence, span.before, span.after) for sentence in sentences]
        return self._mean_delta(sentences, changed, pool)

    def _mean_delta(self, before: Sequence[str], after: Sequence[str], pool: Pool) -> Vectors:
        return mean_delta(self._texts(before, pool), self._texts(after, pool))

    def _texts(self, texts: Sequence[str], pool: Pool) -> Vectors:
        return np.stack([pool.space.text(each) for each in self.encoder.encode_texts(texts)])
