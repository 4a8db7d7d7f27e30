"""Telling how a training run goes: progress, curves for TensorBoard, samples."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from torch.utils.tensorboard import SummaryWriter

from editing.training.trainer import StepReport
from pipelines.terminal.console import show_progress
from pipelines.train.data import Samples

SAMPLES = "samples"
TENSORBOARD = "tensorboard"


class Watch:
    """Notes what steps come to, and shows samples in the run's `folder`."""

    def __init__(
        self,
        folder: Path,
        samples: Samples,
        advance: Callable[[int], None],
        curves: SummaryWriter,
    ) -> None:
        self._folder = folder
        self._samples = samples
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
        """Shows what the weights of now do."""
        self._samples(step, self._folder / SAMPLES, self._curves)


@contextmanager
def watch_run(folder: Path, *, first: int, steps: int, samples: Samples) -> Iterator[Watch]:
    """A `Watch` over the steps from `first` on; curves of steps to be made again are dropped."""
    curves = SummaryWriter(str(folder / TENSORBOARD), purge_step=first)
    with show_progress("training", steps - first, unit="steps") as advance:
        try:
            yield Watch(folder, samples, advance, curves)
        finally:
            curves.close()
