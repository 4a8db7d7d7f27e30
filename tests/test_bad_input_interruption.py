"""Runs that are cut off: no process goes on, nothing looks finished, and one line says so."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from fakes.command_line import (
    preset_file,
    run,
)
from fakes.folders import looks_finished
from fakes.worker_functions import work

from pipelines.running.workers import run_units
from pipelines.terminal.console import CommandError
from transforms.protocols import SourceError

ROOT = Path(__file__).parent.parent
SECONDS_TO_WAIT = 120.0
"""For a process to begin or to end, on a machine that has much else to do."""


def workers_of(parent):
    """The worker processes that `parent` has started, all by its one server."""
    return [
        worker
        for server in psutil.Process(parent).children()
        if "forkserver" in " ".join(server.cmdline())
        for worker in server.children()
    ]


def wait_until(condition):
    deadline = time.monotonic() + SECONDS_TO_WAIT
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def alive(processes):
    return [p for p in processes if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]


def heed_ctrl_c():
    """What a shell starts in the background ignores Ctrl-C, and so would all that it starts."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture
def begun(tmp_path):
    """Begins an index of many pictures, in a process group of its own."""
    source = tmp_path / "source.yaml"
    source.write_text("kind: still-life\ncount: 20000\nshard_size: 500\ntold: true\n")
    started = []

    def begin(workers):
        command = [sys.executable, "-m", "pairloom", "index", source]
        command += ["--out", tmp_path / "index", "--preset", preset_file()]
        command += ["--captions", "source", "--workers", str(workers)]
        process = subprocess.Popen(
            list(map(str, command)),
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            preexec_fn=heed_ctrl_c,
        )
        started.append(process)
        wait_until((tmp_path / "index" / "pairloom.json").exists)
        if workers > 1:
            wait_until(lambda: len(workers_of(process.pid)) == workers)
        return process

    yield begin
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


@pytest.mark.parametrize(
    ("workers", "number", "line"),
    [
        (1, signal.SIGINT, "interrupted"),
        (2, signal.SIGINT, "interrupted"),
        (1, signal.SIGTERM, "stopped by SIGTERM"),
        # A terminal that is closed sends it to all processes, those of multiprocessing's as well.
        (2, signal.SIGHUP, "stopped by SIGHUP"),
    ],
)
def test_a_signal_leaves_nothing_running_and_nothing_finished(
    begun, tmp_path, workers, number, line
):
    process = begun(workers)
    others = workers_of(process.pid)
    os.killpg(process.pid, number)
    out, err = process.communicate(timeout=SECONDS_TO_WAIT)
    assert process.returncode == 128 + number
    assert (out, err) == ("", f"pairloom: error: {line}\n")
    wait_until(lambda: not alive(others))
    assert not looks_finished(tmp_path / "index")
    assert list((tmp_path / "index").rglob("*.tmp")) == []


def test_a_worker_that_is_killed_ends_the_run_in_one_line(begun, tmp_path):
    process = begun(2)
    others = workers_of(process.pid)
    others[0].kill()
    out, err = process.communicate(timeout=SECONDS_TO_WAIT)
    assert process.returncode == 1
    assert out == ""
    assert err == (
        "pairloom: error: a worker process died (killed, or out of memory): run the command "
        "again to go on, with fewer --workers if memory is short\n"
    )
    wait_until(lambda: not alive(others))
    assert not looks_finished(tmp_path / "index")


def test_workers_do_not_outlive_the_process_that_started_them(begun, tmp_path):
    process = begun(2)
    others = workers_of(process.pid)
    process.kill()
    process.communicate(timeout=SECONDS_TO_WAIT)
    wait_until(lambda: not alive(others))
    assert not looks_finished(tmp_path / "index")


def test_workers_do_all_units():
    assert sorted(run_units(work, [1, 2, 3, 4, 5], workers=2)) == [2, 4, 6, 8, 10]


@pytest.mark.parametrize(
    ("unit", "kind", "line"),
    [
        ("refuse", SourceError, "photos/7.jpg: no such picture"),
        ("full", OSError, "[Errno 28] No space left on device: 'pairs.parquet'"),
        ("stumble", CommandError, "TwoPartError: this and that"),
        ("die", CommandError, "a worker process died"),
    ],
)
def test_what_goes_wrong_in_a_worker_comes_out_as_one_line(unit, kind, line):
    with pytest.raises(kind) as caught:
        list(run_units(work, [1, unit, 2, 3], workers=2))
    assert str(caught.value).startswith(line)
    assert "\n" not in str(caught.value)
    wait_until(lambda: not alive(workers_of(os.getpid())))


def test_no_workers_are_asked_for(tmp_path):
    with pytest.raises(CommandError, match="must be at least 1, got 0"):
        list(run_units(work, [1], workers=0))
    assert run("index", "still-life", "--out", tmp_path / "x", "--workers", "0").code == 2
