"""The console: what goes to a terminal, to a log and to a script."""

import io
import json

import pytest

from pipelines.terminal import console


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_command_error_is_one_line_with_its_exit_code():
    stream = io.StringIO()
    error = console.CommandError("pairs must be >= 1,\n got 0", exit_code=console.EXIT_USAGE)
    assert console.fail(error, stream=stream) == 2
    assert stream.getvalue() == "pairloom: error: pairs must be >= 1, got 0\n"


@pytest.mark.parametrize(
    ("error", "line", "code"),
    [
        ("no such folder", "no such folder", 1),
        (OSError(28, "No space left on device"), "OSError: [Errno 28] No space left on device", 1),
        (ValueError(), "ValueError", 1),
        (KeyboardInterrupt(), "interrupted", 130),
        (console.CommandError("x", exit_code=console.EXIT_USAGE), "x", 2),
    ],
)
def test_every_error_is_one_line(error, line, code):
    stream = io.StringIO()
    assert console.fail(error, stream=stream) == code
    assert stream.getvalue() == f"pairloom: error: {line}\n"


def test_the_traceback_comes_only_with_debug():
    def report(*, debug: bool) -> str:
        stream = io.StringIO()
        try:
            raise console.CommandError("broken")
        except console.CommandError as error:
            console.fail(error, debug=debug, stream=stream)
        return stream.getvalue()

    assert "Traceback" not in report(debug=False)
    assert report(debug=True).startswith("Traceback")
    assert report(debug=True).endswith("pairloom: error: broken\n")


def test_the_json_line_is_one_sorted_line():
    stream = io.StringIO()
    console.print_json_line({"b": 1, "a": {"text": "two\nlines"}}, stream=stream)
    assert stream.getvalue().count("\n") == 1
    assert json.loads(stream.getvalue()) == {"a": {"text": "two\nlines"}, "b": 1}
    assert stream.getvalue().startswith('{"a"')


def test_the_json_line_refuses_what_json_cannot_say():
    with pytest.raises(ValueError, match="JSON"):
        console.print_json_line({"a": float("nan")}, stream=io.StringIO())


def test_the_table_shows_text_as_it_is_and_aligns_numbers():
    stream = io.StringIO()
    rows = [("pairs [red]", 12345), ("share", 0.6171)]
    console.print_table("Build [bold]", rows, columns=("what", "count"), stream=stream)
    text = stream.getvalue()
    assert "Build [bold]" in text
    assert "pairs [red]" in text
    assert "12 345" in text
    assert "0.617" in text
    assert "\x1b" not in text


def test_a_table_without_rows_is_printed():
    stream = io.StringIO()
    console.print_table("Nothing", [], columns=("a", "b"), stream=stream)
    assert "Nothing" in stream.getvalue()


@pytest.mark.parametrize(
    ("value", "text"),
    [(3, "3"), (1234567, "1 234 567"), (True, "True"), (0.12345, "0.123"), (23456.7, "23 457")],
)
def test_values_in_tables(value, text):
    assert console.format_value(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (185, "3 min 05 s"),
        (3599.7, "1 h 00 min"),
        (7800, "2 h 10 min"),
    ],
)
def test_durations(seconds, text):
    assert console.format_seconds(seconds) == text


def test_short_work_is_silent_in_a_log():
    stream, clock = io.StringIO(), Clock()
    with console.show_progress("build", 10, stream=stream, clock=clock) as advance:
        for _ in range(10):
            clock.now += 1
            advance(1)
    assert stream.getvalue() == ""


def test_long_work_writes_a_line_now_and_then():
    stream, clock = io.StringIO(), Clock()
    with console.show_progress("build", 5000, stream=stream, clock=clock) as advance:
        for _ in range(50):
            clock.now += 2
            advance(100)
    lines = stream.getvalue().splitlines()
    assert lines[0] == "build: 1 500 of 5 000 pictures, 50.0 a second, about 1 min 10 s left"
    assert lines[-1] == "build: 5 000 of 5 000 pictures, done after 1 min 40 s"
    assert len(lines) == 4


def test_work_without_a_known_end_has_no_time_left():
    stream, clock = io.StringIO(), Clock()
    with console.show_progress("fetch", None, unit="urls", stream=stream, clock=clock) as advance:
        clock.now += 40
        advance(20)
    assert stream.getvalue().splitlines()[0] == "fetch: 20 urls, 0.5 a second"


def test_work_that_fails_says_how_far_it_got():
    stream, clock = io.StringIO(), Clock()

    def work() -> None:
        with console.show_progress("build", 100, stream=stream, clock=clock) as advance:
            clock.now += 31
            advance(40)
            raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        work()
    assert stream.getvalue().splitlines()[-1] == "build: 40 of 100 pictures, stopped after 31 s"


def test_a_terminal_gets_a_bar():
    stream = Terminal()
    with console.show_progress("build [x]", 4, stream=stream) as advance:
        advance(1)
        advance(3)
    assert "build [x]" in stream.getvalue()
    assert "100%" in stream.getvalue() or "4 pictures" in stream.getvalue()
    assert len(stream.getvalue()) > 40
