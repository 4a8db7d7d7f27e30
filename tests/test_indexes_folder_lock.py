"""One writer to a folder, whoever comes and however the one before has ended."""

import errno
import fcntl
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from indexes.folder_lock import LOCK_FILE, FolderLockedError, lock_folder

ROOT = Path(__file__).parent.parent
HOLD = """
import sys, time
from pathlib import Path
from indexes.folder_lock import lock_folder
with lock_folder(Path(sys.argv[1]), "pairloom index"):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the lock of a folder."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / "out")],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_second_job_is_told_who_holds_the_folder(tmp_path, holder):
    with pytest.raises(FolderLockedError) as caught, lock_folder(tmp_path / "out", "other"):
        raise AssertionError("two hold it")
    line = str(caught.value)
    assert line.startswith(f"{tmp_path / 'out'} is being written by pairloom index (process ")
    assert f"process {holder.pid} on " in line
    assert ", since 2" in line
    assert "\n" not in line


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_the_lock_of_a_job_that_was_killed_hinders_nobody(tmp_path, holder, number):
    holder.send_signal(number)
    holder.wait(timeout=20)
    assert (tmp_path / "out" / LOCK_FILE).exists() == (number != signal.SIGINT)
    with lock_folder(tmp_path / "out", "other"):
        assert json.loads((tmp_path / "out" / LOCK_FILE).read_text())["process"] == os.getpid()
    assert not (tmp_path / "out" / LOCK_FILE).exists()


def test_what_was_made_for_the_lock_is_gone_unless_it_is_used(tmp_path):
    with lock_folder(tmp_path / "a" / "b", "job"):
        assert (tmp_path / "a" / "b").is_dir()
    assert list(tmp_path.iterdir()) == []
    with lock_folder(tmp_path / "a" / "b", "job"):
        (tmp_path / "a" / "b" / "file").touch()
    assert [path.name for path in (tmp_path / "a" / "b").iterdir()] == ["file"]


def test_it_is_held_against_this_process_too(tmp_path):
    with (
        lock_folder(tmp_path, "one"),
        pytest.raises(FolderLockedError, match="written by one "),
        lock_folder(tmp_path, "two"),
    ):
        raise AssertionError("two hold it")


@pytest.mark.parametrize("content", [b"", b"\xff", b"[1]", b'{"job": 3}', b"[" * 5000])
def test_a_holder_that_does_not_say_who_it_is(tmp_path, content):
    with lock_folder(tmp_path, "one"):
        (tmp_path / LOCK_FILE).write_bytes(content)
        with (
            pytest.raises(FolderLockedError, match="written by another process: wait"),
            lock_folder(tmp_path, "two"),
        ):
            raise AssertionError("two hold it")


def test_what_a_holder_says_moves_no_cursor(tmp_path):
    with lock_folder(tmp_path, "\x1b[2J\n"):
        with pytest.raises(FolderLockedError) as caught, lock_folder(tmp_path, "two"):
            raise AssertionError("two hold it")
        assert str(caught.value).isprintable()


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo, lambda path: path.symlink_to("elsewhere")])
def test_something_else_in_its_place_is_one_line(tmp_path, make):
    make(tmp_path / LOCK_FILE)
    with pytest.raises(FolderLockedError, match="cannot be locked"), lock_folder(tmp_path, "job"):
        raise AssertionError("locked")
    assert not (tmp_path / "elsewhere").exists()


def test_a_file_system_without_locks_is_told_and_gone_on_with(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))

    monkeypatch.setattr(fcntl, "flock", refuse)
    told = []
    with lock_folder(tmp_path, "job", tell=told.append):
        pass
    assert len(told) == 1
    assert "without locks" in told[0]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.ENOSPC])
def test_where_nothing_can_be_written_there_is_nothing_to_lock(tmp_path, monkeypatch, number):
    def refuse(*_, **__):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "open", refuse)
    with lock_folder(tmp_path, "job"):
        pass


def test_a_place_that_is_no_folder_is_left_to_the_job(tmp_path):
    (tmp_path / "file").touch()
    for place in (tmp_path / "file", tmp_path / "file" / "below", tmp_path / ("x" * 300)):
        with lock_folder(place, "job"):
            pass


def count_up(folder, rounds):
    """Adds one to a number in a file so many times, in a way that only one at a time may."""
    done = 0
    while done < rounds:
        try:
            with lock_folder(folder, "count"):
                path = folder / "number"
                number = int(path.read_text()) if path.exists() else 0
                time.sleep(0.001)
                path.write_text(str(number + 1))
                done += 1
        except FolderLockedError:
            time.sleep(0.001)


def test_of_many_at_once_only_one_is_in(tmp_path):
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=count_up, args=(tmp_path, 40)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    assert (tmp_path / "number").read_text() == "120"
    assert not (tmp_path / LOCK_FILE).exists()
