"""What is shown of a training run: sheets of edits, or how well words find pictures."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from torch.utils.tensorboard import SummaryWriter

from editing.pictures import tensor_to_picture
from editing.requests import Request
from editing.training.embedding_stream import EmbeddingStream
from editing.training.objective import EmbeddingBatch, PairBatch, PictureObjective
from editing.training.pair_stream import PairStream
from transforms.dataset.files import write_bytes
from transforms.pictures.contact_sheet import SheetEntry, draw_sheet
from transforms.pictures.decoding import encode_png

SAMPLED_PAIRS = 4
SAMPLED_PICTURES = 1024
HEADINGS = ("source", "edited", "edited, source mask", "pseudo-target")


class PairSheets:
    """Sheets of edits of the stream's first pairs, one a step that is sampled."""

    def __init__(self, objective: PictureObjective[Any], stream: PairStream) -> None:
        self._objective = objective
        self._stream = stream

    @functools.cached_property
    def _shown(self) -> PairBatch:
        batches = self._stream.batches()
        batch = next(batches)
        while len(batch) < SAMPLED_PAIRS:
            batch = batch.join(next(batches))
        return batch.part(slice(SAMPLED_PAIRS))

    def __call__(self, step: int, folder: Path, curves: SummaryWriter) -> None:
        """Draws a sheet of edits by the weights of now."""
        batch = self._shown
        sources = [tensor_to_picture(each) for each in batch.source]
        targets = [tensor_to_picture(each) for each in batch.target]
        masks = [
            tensor_to_picture(each.expand(3, -1, -1) * 2 - 1).convert("L")
            for each in batch.source_mask
        ]
        columns = [sources]
        for some_masks in ([None] * len(masks), masks):
            requests = _requests(batch, sources, targets, some_masks)
            generators = [torch.Generator().manual_seed(row) for row in range(len(requests))]
            outputs = self._objective.edit_samples(requests, generators)
            columns.append([output.image for output in outputs])
        columns.append(targets)
        rows = [
            SheetEntry(images, (prompt,))
            for images, prompt in zip(zip(*columns, strict=True), batch.edit_prompts, strict=True)
        ]
        sheet = encode_png(draw_sheet(rows, HEADINGS))
        write_bytes(folder / f"step-{step:08d}.png", sheet)


def _requests(
    batch: PairBatch, sources: Sequence[Any], targets: Sequence[Any], masks: Sequence[Any]
) -> list[Request]:
    return [
        Request(
            image=image,
            prompt=prompt,
            edit_mask=mask,
            mask_phrase=phrase,
            pseudo_target_image=target,
        )
        for image, prompt, mask, phrase, target in zip(
            sources, batch.edit_prompts, masks, batch.source_phrases, targets, strict=True
        )
    ]


@runtime_checkable
class FindsPictures(Protocol):
    """What can say how well it finds pictures by their words."""

    def recall(self, batch: EmbeddingBatch) -> float:
        """The share of captions that find a picture of theirs among those of a batch."""
        ...


@dataclass(frozen=True)
class FoundPictures:
    """How many captions of an index's first pictures find one of theirs, as a curve."""

    objective: Any
    stream: EmbeddingStream

    def __call__(self, step: int, folder: Path, curves: SummaryWriter) -> None:
        """Notes the share by the weights of now."""
        if isinstance(self.objective, FindsPictures):
            batch = self.stream.first(SAMPLED_PICTURES)
            curves.add_scalar("found/text_to_image", self.objective.recall(batch), step)
