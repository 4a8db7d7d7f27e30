"""What becomes of the records of a batch: a network's failures found and rejected, all counted."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from apache_beam.metrics import Metrics

from transforms.models.chunks import chunks
from transforms.record import Batch, Reject

RecordT = TypeVar("RecordT")
ResultT = TypeVar("ResultT")

MODEL_FAILED = "model_failed"
MODEL_EXCEPTIONS: tuple[type[Exception], ...] = (
    RuntimeError,
    ValueError,
    IndexError,
    ArithmeticError,
)
"""What a network raises over an input it cannot take. Anything else is a fault of the program."""


def count_outcomes(batch: Batch[Any], name: str) -> None:
    """Count one batch that stage `name` finished: `records`, and `rejected_<reason>` by reason.

    Rejects of earlier stages travel in the batch and were counted there.
    """
    Metrics.counter(name, "records").inc(len(batch.records))
    for reject in batch.rejects:
        if reject.stage == name.lower():
            Metrics.counter(name, f"rejected_{reject.reason}").inc()


def bisect_failures(
    records: Sequence[RecordT],
    function: Callable[[Sequence[RecordT]], Sequence[ResultT | Reject]],
    reject: Callable[[RecordT, str, str], Reject],
    *,
    catch: tuple[type[Exception], ...] = MODEL_EXCEPTIONS,
    at_once: int = 16,
) -> tuple[list[ResultT], list[Reject]]:
    """Apply `function` to chunks of records; where it fails, leave out the guilty ones and go on.

    Args:
        records: what to work on, in order.
        function: gives one result, or a Reject of its own, per record, in order, each
            independent of the others.
        reject: makes the Reject of (record, reason, detail); the reason is `model_failed`, the
            detail the exception's first line.
        catch: exceptions that mean an input was at fault; others pass through.
        at_once: records handed over together, at least 1; bounds the memory for decoded pictures.

    Returns:
        The results and the rejects, both in the order of the records.
    """
    results: list[ResultT] = []
    rejects: list[Reject] = []
    for chunk in chunks(records, at_once):
        for outcome in _bisect(chunk, function, reject, catch=catch):
            if isinstance(outcome, Reject):
                rejects.append(outcome)
            else:
                results.append(outcome)
    return results, rejects


def _bisect(
    records: Sequence[RecordT],
    function: Callable[[Sequence[RecordT]], Sequence[ResultT | Reject]],
    reject: Callable[[RecordT, str, str], Reject],
    *,
    catch: tuple[type[Exception], ...],
) -> list[ResultT | Reject]:
    try:
        results = function(records)
    except catch as error:
        if len(records) == 1:
            return [reject(records[0], MODEL_FAILED, first_line(error))]
        middle = len(records) // 2
        return [
            *_bisect(records[:middle], function, reject, catch=catch),
            *_bisect(records[middle:], function, reject, catch=catch),
        ]
    assert len(results) == len(records), "one result per record"
    return list(results)


def first_line(error: BaseException) -> str:
    """The exception's kind and the first line of its message."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0].strip()}" if lines else type(error).__name__
