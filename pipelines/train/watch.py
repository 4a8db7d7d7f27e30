"""Telling how a training run goes: progress, curves for TensorBoard, sheets of samples."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch.utils.tensorboard import SummaryWriter

from editing.pictures import tensor_to_picture
from editing.requests import Request
from editing.training.objective import Objective, PairBatch
from editing.training.pair_stream import PairStream
from editing.training.trainer import StepReport
from pipelines.terminal.console import show_progress
from transforms.dataset.files import write_bytes
from transforms.pictures.contact_sheet import SheetEntry, draw_sheet
from transforms.pictures.decoding import encode_png

SAMPLES = "samples"
TENSORBOARD = "tensorboard"
SAMPLED_PAIRS = 4
HEADINGS = ("source", "edited", "edited, source mask", "pseudo-target")


class Watch:
    """Notes what steps come to, and draws sheets of samples into the run's `folder`."""

    def __init__(
        self,
        folder: Path,
        objective: Objective[Any],
        shown: PairBatch,
        advance: Callable[[int], None],
        curves: SummaryWriter,
    ) -> None:
        self._folder = folder
        self._objective = objective
        self._shown = shown
        self._advance = advance
        self._curves = curves
        self.last: dict[str, float] = {}
        self.counts: Counter[str] = Counter()

    def step(self, report: StepReport) -> None:
        """Notes what a step came to."""
        for name, value in (report.terms | {"loss": report.loss}).items():
            self._curves.add_scalar(f"loss/{name}", value, report.step)
        for name, share in report.gradient_shares.items():
            self._curves.add_scalar(f"gradient_share/{name}", share, report.step)
        for name, number in report.counts.items():
            self._curves.add_scalar(f"pairs/{name}", number, report.step)
        self.last = report.terms
        self.counts.update(report.counts)
        self._advance(1)

    def sample(self, step: int) -> None:
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
            requests = [
                Request(
                    image=image,
                    prompt=prompt,
                    edit_mask=mask,
                    mask_phrase=phrase,
                    pseudo_target_image=target,
                )
                for image, prompt, mask, phrase, target in zip(
                    sources,
                    batch.edit_prompts,
                    some_masks,
                    batch.source_phrases,
                    targets,
                    strict=True,
                )
            ]
            generators = [torch.Generator().manual_seed(row) for row in range(len(requests))]
            outputs = self._objective.edit_samples(requests, generators)
            columns.append([output.image for output in outputs])
        columns.append(targets)
        rows = [
            SheetEntry(images, (prompt,))
            for images, prompt in zip(zip(*columns, strict=True), batch.edit_prompts, strict=True)
        ]
        sheet = encode_png(draw_sheet(rows, HEADINGS))
        write_bytes(self._folder / SAMPLES / f"step-{step:08d}.png", sheet)


@contextmanager
def watch_run(
    folder: Path, objective: Objective[Any], *, first: int, steps: int, shown: PairStream
) -> Iterator[Watch]:
    """A `Watch` over the steps from `first` on; curves of steps to be made again are dropped."""
    batches = shown.batches()
    batch = next(batches)
    while len(batch.edit_prompts) < SAMPLED_PAIRS:
        batch = batch.join(next(batches))
    curves = SummaryWriter(str(folder / TENSORBOARD), purge_step=first)
    with show_progress("training", steps - first, unit="steps") as advance:
        try:
            yield Watch(folder, objective, batch.part(slice(SAMPLED_PAIRS)), advance, curves)
        finally:
            curves.close()
