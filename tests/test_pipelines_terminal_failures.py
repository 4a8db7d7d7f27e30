"""What is left of an error once Beam has carried it."""

import apache_beam as beam
import pytest

from pipelines.running.runners import run_here
from pipelines.terminal.console import CommandError
from pipelines.terminal.failures import (
    EXPECTED_ERRORS,
    as_command_error,
    last_words,
    raised_by_stage,
)
from transforms.dataset.files import OutputError
from transforms.protocols import SourceError


class OddError(Exception):
    """Cannot be made again from its first argument."""

    def __init__(self, left, right):
        super().__init__(left, right)


FAILURES = [
    SourceError("photos/7.jpg: no such picture"),
    OutputError("cannot write pairs: No space left on device"),
    OSError(28, "No space left on device", "pairs.parquet"),
    KeyError("caption"),
    OddError(1, 2),
    KeyboardInterrupt(),
]


def fail(_, error):
    raise error


@pytest.mark.parametrize("error", FAILURES, ids=lambda error: type(error).__name__)
def test_a_stages_error_comes_out_of_a_pipeline_as_it_was(error):
    def graph(pipeline):
        _ = (
            pipeline
            | beam.Create([1, 2])
            | "Spread" >> beam.Reshuffle()
            | "Write" >> beam.Map(fail, error=error)
        )

    with pytest.raises(type(error)) as caught:
        run_here(graph)
    assert (type(caught.value), str(caught.value)) == (type(error), str(error))
    assert caught.value.args == error.args


def test_an_error_keeps_its_cause():
    def refuse(_):
        try:
            raise OSError(28, "No space left on device")
        except OSError as error:
            raise OutputError("cannot write pairs") from error

    with pytest.raises(OutputError) as caught:
        run_here(lambda pipeline: pipeline | beam.Create([1]) | beam.Map(refuse))
    assert isinstance(caught.value.__cause__, OSError)


def test_an_error_that_beam_did_not_carry_is_left_alone():
    error = ValueError("plain")
    error.__context__ = KeyError("before")
    assert raised_by_stage(error) is error


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("No such job server", "No such job server"),
        ("", "RuntimeError"),
        (
            "Job failed: Traceback (most recent call last):\n  File ...\n"
            "transforms.protocols.SourceError: a.jpg: gone [while running 'Read/ReadSpan']\n\n",
            "a.jpg: gone",
        ),
        (
            "Traceback:\nRuntimeError: OSError: [Errno 28] No space: '/x' [while running 'W']\n",
            "[Errno 28] No space: '/x'",
        ),
    ],
)
def test_the_last_words_of_a_job_elsewhere(text, line):
    assert last_words(RuntimeError(text)) == line


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (SourceError("a: b"), "a: b"),
        (OSError(13, "Permission denied", "/a/b"), "/a/b: Permission denied"),
        (OSError(28, "No space left on device"), "[Errno 28] No space left on device"),
        (OSError("just so"), "just so"),
    ],
)
def test_the_line_that_is_shown(error, line):
    assert isinstance(error, EXPECTED_ERRORS)
    shown = as_command_error(error)
    assert str(shown) == line
    assert shown.__cause__ is error


def test_a_command_error_stays_as_it_is():
    error = CommandError("no", exit_code=3)
    assert as_command_error(error) is error
