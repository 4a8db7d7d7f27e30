"""Streams that nobody reads, that are full or closed: work goes on, and the exit code tells."""

import errno
import io
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from pipelines.main import main
from pipelines.terminal.streams import LastingStream, lasting_streams

ROOT = Path(__file__).parent.parent


class Broken(io.StringIO):
    """Fails from the first write on, or only when it is flushed."""

    def __init__(self, number, *, late=False):
        super().__init__()
        self.number, self.late, self.writes = number, late, 0

    def fail(self):
        raise OSError(self.number, os.strerror(self.number))

    def write(self, text):
        self.writes += 1
        return len(text) if self.late else self.fail()

    def flush(self):
        self.fail()


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("number", [errno.EPIPE, errno.ENOSPC, errno.EIO])
def test_what_cannot_be_written_is_dropped_and_remembered(number, late):
    broken = Broken(number, late=late)
    stream = LastingStream(broken)
    for _ in range(3):
        print("a line", file=stream, flush=True)
    assert stream.error.errno == number
    assert broken.writes <= 2  # the text and its line break; nothing is tried again
    assert not stream.isatty()


def test_what_the_encoding_lacks_is_written_as_escapes():
    raw = io.BytesIO()
    stream = LastingStream(io.TextIOWrapper(raw, encoding="ascii"))
    print("│ käse \udcff", file=stream, flush=True)
    assert raw.getvalue() == b"\\u2502 k\\xe4se \\udcff\n"


def test_standard_streams_come_back():
    before = sys.stdout, sys.stderr
    with lasting_streams() as out:
        assert sys.stdout is out
    assert (sys.stdout, sys.stderr) == before


def verify(folder, out, err):
    with redirect_stdout(out), redirect_stderr(err):
        return main(["verify", str(folder)])


def test_a_reader_that_goes_away_leaves_its_own_code_and_no_word(sealed_dataset):
    err = io.StringIO()
    assert verify(sealed_dataset, Broken(errno.EPIPE), err) == 141
    assert err.getvalue() == ""


def test_what_else_went_wrong_is_told_where_nobody_reads(sealed_dataset):
    (sealed_dataset / "COMPLETED").unlink()
    assert verify(sealed_dataset, Broken(errno.EPIPE), io.StringIO()) == 1


def test_results_that_cannot_be_told_are_an_error(sealed_dataset):
    err = io.StringIO()
    assert verify(sealed_dataset, Broken(errno.ENOSPC, late=True), err) == 1
    line = "stdout cannot be written, results are lost: No space left on device"
    assert err.getvalue() == f"pairloom: error: {line}\n"


def test_messages_that_cannot_be_told_change_nothing(sealed_dataset, tmp_path):
    assert verify(sealed_dataset, io.StringIO(), Broken(errno.EPIPE)) == 0
    assert verify(tmp_path / "nowhere", io.StringIO(), Broken(errno.ENOSPC)) == 1


def shell(line, *, cwd=ROOT):
    """How `line` of shell ends, in which `$PAIRLOOM` is the command."""
    environment = os.environ | {
        "PYTHONPATH": str(ROOT),
        "PAIRLOOM": f"{sys.executable} -m pairloom",
    }
    return subprocess.run(
        ["bash", "-c", line], cwd=cwd, env=environment, capture_output=True, text=True
    )


def test_files_do_not_take_the_place_of_closed_streams(sealed_dataset, tmp_path):
    page = tmp_path / "page.html"
    done = shell(f"$PAIRLOOM report {sealed_dataset} --out {page} <&- >&- 2>&-; echo $?")
    assert done.stdout == "0\n"
    assert page.read_text(encoding="utf-8").rstrip().endswith("</html>")


def test_a_real_pipe_that_nobody_reads(sealed_dataset):
    done = shell(f"$PAIRLOOM verify {sealed_dataset} | true; echo ${{PIPESTATUS[0]}}")
    assert (done.stdout, done.stderr) == ("141\n", "")


def test_memory_that_does_not_suffice_is_one_line(sealed_dataset):
    done = shell(f"ulimit -v 150000; $PAIRLOOM verify {sealed_dataset}")
    assert done.returncode == 1
    assert done.stderr.startswith("pairloom: error: memory of 146 MiB (ulimit -v) does not suffice")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("mkdir $D/gone; cd $D/gone; rmdir $D/gone; $PAIRLOOM --version", "is gone: start it in"),
        ("PYTHONOPTIMIZE=2 $PAIRLOOM --version", "python -OO takes away what Beam needs"),
    ],
)
def test_surroundings_that_do_not_do_are_one_line(tmp_path, line, said):
    done = shell(f"D={tmp_path}; {line}")
    assert (done.returncode, done.stdout) == (1, "")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
