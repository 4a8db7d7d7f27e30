"""A training run on a small data set, with all that it told."""

from accelerate import Accelerator

from editing.training.loop_settings import LoopSettings
from editing.training.pair_settings import PairSettings
from editing.training.pair_stream import PairStream
from editing.training.trainer import Trainer
from fakes.pairs import SIDE
from transforms.dataset.manifest import load_manifest


class Run:
    """A run of an objective on the data set `pairs`; `reports` and `samples` are what it told."""

    def __init__(
        self, objective, pairs, folder, *, identities=("one",), accelerator=None, **changes
    ):
        defaults = {"steps": 4, "batch_size": 2, "checkpoint_every": 2, "learning_rate": 1e-3}
        self.settings = LoopSettings(**(defaults | changes))
        self.objective, self.pairs = objective, pairs
        self.accelerator = accelerator or Accelerator(cpu=True)
        self.trainer = Trainer(
            objective, self.settings, self.accelerator, folder=folder, identities=identities
        )
        self.reports, self.samples = [], []

    def batches(self, first):
        devices = self.accelerator.num_processes
        stream = PairStream(
            self.pairs,
            load_manifest(self.pairs),
            PairSettings(),
            size=SIDE,
            batch_size=self.settings.pairs_a_step(devices),
            seed=self.settings.seed,
        )
        rank = self.accelerator.process_index
        return stream.batches(first_step=first, rank=rank, of=devices)

    def go(self, *, until=None):
        """Trains on from the last checkpoint; Ctrl-C comes when step number `until` is told."""
        first = self.trainer.resume()

        def told(report):
            self.reports.append(report)
            if until is not None and report.step + 1 == until:
                raise KeyboardInterrupt

        self.trainer.run(first, self.batches(first), on_step=told, on_sample=self.samples.append)
        return self


def same(one, other):
    """Whether two sets of weights are equal to the bit."""
    return one.keys() == other.keys() and all(one[name].equal(other[name]) for name in one)


def changed(before, after):
    """The names of weights that are not equal."""
    return {name for name in before if not before[name].equal(after[name])}
