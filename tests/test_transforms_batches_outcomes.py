"""Guilty records found, the others kept."""

import pytest
from fakes.shouting import reject_shout, source

from transforms.batches.outcomes import MODEL_FAILED, bisect_failures, first_line


def test_every_record_gets_its_result_in_order_and_only_the_guilty_are_rejected():
    calls = []

    def work(numbers):
        calls.append(list(numbers))
        if 5 in numbers or 11 in numbers:
            raise RuntimeError("five or eleven")
        return [n * 10 for n in numbers]

    results, rejects = bisect_failures(
        range(20),
        work,
        lambda n, reason, detail: reject_shout(source(n), reason, detail),
        at_once=8,
    )
    assert results == [n * 10 for n in range(20) if n not in (5, 11)]
    assert [(r.position, r.reason, r.detail) for r in rejects] == [
        (5, MODEL_FAILED, "RuntimeError: five or eleven"),
        (11, MODEL_FAILED, "RuntimeError: five or eleven"),
    ]
    assert max(len(call) for call in calls) == 8


def test_an_exception_that_is_not_named_passes_through():
    def work(numbers):
        raise KeyError("a fault of the program")

    with pytest.raises(KeyError):
        bisect_failures([1, 2], work, reject_shout)


def test_a_result_too_few_is_noticed():
    with pytest.raises(AssertionError):
        bisect_failures([1, 2], lambda numbers: numbers[:1], reject_shout)


def test_nothing_in_nothing_out():
    assert bisect_failures([], lambda numbers: numbers, reject_shout) == ([], [])


def test_at_once_must_be_positive():
    with pytest.raises(ValueError, match="at least 1, got 0"):
        bisect_failures([1], lambda numbers: numbers, reject_shout, at_once=0)


def test_a_message_without_words_still_names_the_kind():
    assert first_line(ValueError()) == "ValueError"
    assert first_line(ValueError("\n one \n two")) == "ValueError: one"
