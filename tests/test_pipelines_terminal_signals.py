"""Signals that ask to end: where the work is, once, and never against `nohup`."""

import os
import signal
import threading

import pytest
from fakes.command_line import run

from pipelines.terminal.console import fail
from pipelines.terminal.signals import Stopped, heed_signals


@pytest.fixture(autouse=True)
def handlers_come_back():
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in numbers}
    yield
    for number, old in before.items():
        signal.signal(number, old)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_comes_as_an_interruption(number, capsys):
    old = signal.getsignal(number)
    with heed_signals(to_the_end=False) as watch:
        with pytest.raises(KeyboardInterrupt) as caught:
            signal.raise_signal(number)
        assert watch.stopped is caught.value
    assert signal.getsignal(number) is old
    assert fail(caught.value) == 128 + number
    assert capsys.readouterr().err.count("\n") == 1


def test_a_second_signal_at_once_is_the_same_wish():
    with heed_signals(to_the_end=False) as watch:
        with pytest.raises(Stopped):
            signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)
        assert watch.stopped.number == signal.SIGTERM


def test_what_is_ignored_stays_ignored():
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with heed_signals(to_the_end=False) as watch:
        signal.raise_signal(signal.SIGHUP)
        assert watch.stopped is None
    assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN


def test_a_process_that_ends_is_asked_no_more():
    with heed_signals(to_the_end=True) as watch:
        with pytest.raises(Stopped):
            signal.raise_signal(signal.SIGTERM)
        watch.rest()
    signal.raise_signal(signal.SIGTERM)
    signal.raise_signal(signal.SIGINT)


def test_another_thread_is_left_alone():
    seen = []

    def look():
        with heed_signals(to_the_end=True) as watch:
            seen.append(watch.stopped)

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert seen == [None]


def test_an_import_that_a_signal_broke_off_is_told_as_the_signal(tmp_path, monkeypatch):
    import pipelines.verify.dataset as command

    def broken(*_, **__):
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        except KeyboardInterrupt:
            raise ImportError("numpy could not be imported") from None

    monkeypatch.setattr(command, "check_folder", broken)
    outcome = run("verify", tmp_path)
    assert (outcome.code, outcome.error) == (143, "stopped by SIGTERM")
