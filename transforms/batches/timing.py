"""How long each stage takes, measured by Beam."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from apache_beam.metrics import Metrics

LATENCY = "inference_batch_latency_micro_secs"
"""Name of the distribution in which RunInference keeps it; all stages use the same."""


@contextmanager
def timed(stage: str) -> Iterator[None]:
    """Adds the microseconds spent in the block to the distribution `LATENCY` of `stage`."""
    began = time.perf_counter_ns()
    try:
        yield
    finally:
        spent = (time.perf_counter_ns() - began) // 1000
        Metrics.distribution(stage, LATENCY).update(spent)
