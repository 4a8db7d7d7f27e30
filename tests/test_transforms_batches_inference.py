"""Models in a process: loaded once, on one thread, spared by the garbage collector."""

import gc
import pickle
import platform
import resource
import weakref
from dataclasses import dataclass

import pytest
import torch
from fakes.shouting import Load, batch, loads, shout, source

from transforms.batches.inference import BatchHandler, LoadedModel, keep_memory, use_one_thread
from transforms.record import Batch, EditExample


def handler(suffix: str) -> BatchHandler:
    return BatchHandler(load=Load(suffix), apply=shout, name="Shout")


class TestBatchHandler:
    def test_loads_once_a_process_even_when_pickled_again(self):
        loads.clear()
        copies = [pickle.loads(pickle.dumps(handler("once"))) for _ in range(3)]
        models = {id(copy.load_model()) for copy in copies}
        assert loads == ["once"]
        assert len(models) == 1

    def test_what_to_load_must_be_a_value(self):
        @dataclass
        class Changeable:
            def __call__(self):
                return "model"

        with pytest.raises(TypeError, match="load must be hashable"):
            BatchHandler(load=Changeable(), apply=shout, name="Shout")

    def test_the_collector_is_spared_what_was_loaded(self):
        gc.unfreeze()
        handler("frozen").load_model()
        assert gc.get_freeze_count() > 1000
        gc.unfreeze()

    def test_the_loaded_model_can_be_referenced_weakly(self):
        loaded = handler("weak").load_model()
        assert isinstance(loaded, LoadedModel)
        assert weakref.ref(loaded)() is loaded

    def test_counts_the_pictures_bytes_without_pickling(self):
        one = batch(0, source(0, image=b"12345"), source(1))
        assert handler("!").get_num_bytes([one]) == 5
        assert handler("!").get_num_bytes([Batch("s", 0, (object(),))]) == 0

    def test_counts_the_bytes_of_an_example(self):
        example = EditExample(query=source(0, image=b"123"), target=None)  # type: ignore[arg-type]
        assert handler("!").get_num_bytes([Batch("s", 0, (example,))]) == 3

    def test_torch_is_held_to_one_thread(self):
        before = torch.get_num_threads()
        try:
            torch.set_num_threads(2)
            use_one_thread()
            assert torch.get_num_threads() == 1
        finally:
            torch.set_num_threads(before)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be told")
def test_memory_that_was_let_go_of_is_kept():
    keep_memory()
    bytearray(40_000_000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(8):
        bytearray(40_000_000)  # 9765 pages
    assert resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before < 9765
