"""Runs models over batches in Beam: loaded once a process, on one thread, one Batch in, one out.

Float results depend on how many rows a model sees at once and on its thread count. A `Batch` is
therefore handed to the model as it was cut, never regrouped, and torch is held to one thread; more
cores are used by more processes.
"""

import atexit
import ctypes
import functools
import gc
import platform
import threading
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from apache_beam.ml.inference.base import ModelHandler

from transforms.batches.outcomes import count_outcomes
from transforms.record import Batch, EditExample, EditQuery, SourceImage

ModelT = TypeVar("ModelT")

_loading = threading.Lock()

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_KEPT_BYTES = 1 << 28
"""How much memory that has been let go of a process keeps for what comes next."""


@dataclass(frozen=True, eq=False)
class LoadedModel(Generic[ModelT]):
    """A model in a wrapper that Beam can reference weakly, whatever the model itself is."""

    model: ModelT


def use_one_thread() -> None:
    """Hold torch to one thread in this process, so that float results repeat bit for bit."""
    import torch

    torch.set_num_threads(1)


# Four: a run's captioner, encoder and segmenter, and one more; older ones may go.
@functools.lru_cache(maxsize=4)
def _load_once(load: Callable[[], ModelT]) -> LoadedModel[ModelT]:
    use_one_thread()
    keep_memory()
    model = LoadedModel(load())
    spare_the_collector()
    return model


def keep_memory() -> None:
    """Has the C library keep what a network lets go of for what it asks for next.

    Each layer's results are megabytes, which glibc gives back to the system and asks for again,
    page by page: a twentieth of the processor's time of CLIP's ViT-B/32. Elsewhere than on glibc
    nothing is done.
    """
    if platform.libc_ver()[0] == "glibc":
        tune = ctypes.CDLL(None).mallopt
        tune(_M_MMAP_THRESHOLD, _KEPT_BYTES)
        tune(_M_TRIM_THRESHOLD, _KEPT_BYTES)


def spare_the_collector() -> None:
    """Takes what is there now, libraries and networks, out of the garbage collector's rounds.

    They are a million objects that stay; walking over them again and again took a twentieth of a
    small build's time. They come back at the end of the process, so that libraries find nothing
    missing when they clean up.
    """
    gc.freeze()
    atexit.unregister(gc.unfreeze)
    atexit.register(gc.unfreeze)


class BatchHandler(ModelHandler[Batch, Batch, LoadedModel]):
    """Tells RunInference how to load a model and how to apply it to one `Batch`.

    Args:
        load: makes the model. Pickled to the workers, so it carries WHAT to load, not the model.
            Hashable: one that compares by value (a frozen dataclass) is called once a process
            even when several pipelines run in it one after another, a partial or lambda once a
            pipeline.
        apply: maps a batch and the model to the finished batch; module-level.
        name: the stage's name, such as "Caption"; the namespace of its metrics.
    """

    def __init__(
        self,
        *,
        load: Callable[[], Any],
        apply: Callable[[Batch[Any], Any], Batch[Any]],
        name: str,
    ):
        super().__init__()
        if not isinstance(load, Hashable):
            raise TypeError(f"load must be hashable, such as a frozen dataclass, got {load!r}")
        self._load = load
        self._apply = apply
        self._name = name

    @property
    def name(self) -> str:
        """The stage's name."""
        return self._name

    def load_model(self) -> LoadedModel[Any]:
        """The model, loaded if this process has not yet done so."""
        with _loading:
            return _load_once(self._load)

    def run_inference(
        self,
        batch: Sequence[Batch[Any]],
        model: LoadedModel[Any],
        inference_args: dict[str, Any] | None = None,
    ) -> Iterable[Batch[Any]]:
        """Apply the model to each of the batches (RunBatches hands over one at a time)."""
        del inference_args  # Beam's signature; a handler of ours carries all its settings
        finished = [self._apply(one, model.model) for one in batch]
        for one in finished:
            count_outcomes(one, self._name)
        return finished

    def get_num_bytes(self, batch: Sequence[Batch[Any]]) -> int:
        """Bytes of the encoded pictures at hand; Beam's default would pickle every batch."""
        return sum(_picture_bytes(record) for one in batch for record in one.records)

    def get_metrics_namespace(self) -> str:
        """The stage's name."""
        return self._name


def _picture_bytes(record: object) -> int:
    if isinstance(record, EditExample):
        record = record.query
    if isinstance(record, EditQuery):
        record = record.source
    return len(record.image or b"") if isinstance(record, SourceImage) else 0
