"""Decoding in a process of its own, which the system ends at a deadline."""

import concurrent.futures
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import psutil
import pytest
from fakes import hostile_pictures as hostile
from fakes.pictures import encoded, noise

from transforms.pictures.decoders import normalise_there
from transforms.pictures.decoding import (
    PictureError,
    PictureLimits,
    decode,
    decode_kept,
    normalise,
    normalise_here,
)

ENDLESS = hostile.many_scans(20_000, size=(1500, 1500))
"""A decoder is busy with it for half a minute; without a deadline nothing would stop it."""
SHORT = PictureLimits(max_scans=100_000, deadline_s=0.2)
PICTURES = {
    "kept": encoded(noise(1), "JPEG"),
    "encoded anew": encoded(noise(2).convert("RGBA"), "PNG"),
    "cut off": encoded(noise(3), "PNG")[:500],
    "no picture": b"none",
}


def outcome(function, data, limits):
    """What `function` makes of `data`, or the reason why it makes nothing."""
    try:
        return function(data, limits)
    except PictureError as error:
        return str(error)


def decoders_of(pid):
    """The processes that decode for the process `pid`; what other tests ended is none of them."""
    children = psutil.Process(pid).children()
    children = [each for each in children if each.status() != psutil.STATUS_ZOMBIE]
    return [each for each in children if "transforms.pictures.decoder_process" in each.cmdline()]


@pytest.mark.parametrize("function", [normalise, decode])
def test_a_decoder_is_ended_at_the_deadline(function):
    began = time.process_time(), time.monotonic()
    assert outcome(function, ENDLESS, SHORT) == (
        "decoding_deadline: decoding was ended after 0.2 s of computing (deadline_s)"
    )
    assert time.process_time() - began[0] < 1
    assert time.monotonic() - began[1] < 20


def test_it_is_ended_for_threads_too_and_others_do_not_notice():
    good = PICTURES["kept"]
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        found = list(pool.map(lambda data: outcome(normalise, data, SHORT), [ENDLESS, good] * 3))
    assert [each.startswith("decoding_deadline") for each in found[::2]] == [True] * 3
    assert [each.bytes for each in found[1::2]] == [good] * 3


@pytest.mark.parametrize("name", PICTURES)
def test_there_and_here_are_the_same(name):
    data = PICTURES[name]
    limits = PictureLimits()
    assert outcome(normalise_there, data, limits) == outcome(normalise_here, data, limits)


def test_where_the_deadline_matters_the_pixels_are_the_same():
    data = encoded(noise(4, (900, 700)).convert("CMYK"), "JPEG")
    careful = PictureLimits(deadline_s=0.4)  # by which 630 000 pixels might not be done
    assert normalise(data, careful) == normalise(data)
    assert decode(data, careful).tobytes() == decode(data).tobytes()
    assert decode_kept(normalise(data).bytes).tobytes() == decode(data).tobytes()


def test_a_process_that_dies_costs_its_picture_and_is_replaced():
    def strike():
        time.sleep(0.5)
        for child in decoders_of(os.getpid()):
            child.send_signal(signal.SIGSEGV)

    good = PICTURES["kept"]
    normalise_there(good, PictureLimits())
    striker = threading.Thread(target=strike)
    striker.start()
    slow = PictureLimits(max_scans=100_000, deadline_s=30)
    assert outcome(normalise, ENDLESS, slow) == (
        f"decoder_died: the decoder was ended by signal {int(signal.SIGSEGV)}"
    )
    striker.join()
    assert normalise_there(good, PictureLimits()).bytes == good


def test_what_a_decoder_prints_of_a_damaged_file_goes_nowhere(capfd):
    data = encoded(noise(6), "TIFF", compression="tiff_lzw")
    spoilt = data[:60] + bytes(range(60)) + data[120:]
    outcome(normalise, spoilt, PictureLimits())
    outcome(decode, spoilt, PictureLimits())
    assert capfd.readouterr() == ("", "")


def end_idle_decoders():
    idle = decoders_of(os.getpid())
    for child in idle:
        child.kill()
    wait_until(lambda: all(each.status() == psutil.STATUS_ZOMBIE for each in idle))


def test_one_that_was_ended_while_idle_costs_no_picture():
    good = PICTURES["kept"]
    normalise_there(good, PictureLimits())
    end_idle_decoders()
    assert normalise_there(good, PictureLimits()).bytes == good


def test_it_is_found_from_anywhere(tmp_path, monkeypatch):
    """Neither a path beside the packages nor files where the program runs are in its way."""
    (tmp_path / "numpy.py").write_text("raise SystemExit(3)")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", *(path for path in sys.path if path)])
    end_idle_decoders()
    assert normalise_there(PICTURES["kept"], PictureLimits()).width == 32


PARENT = """
import os, sys
from transforms.pictures.decoders import normalise_there
from transforms.pictures.decoding import PictureLimits, normalise
data = open(sys.argv[1], "rb").read()
normalise_there(open(sys.argv[2], "rb").read(), PictureLimits())
print("ready", flush=True)
{then}
"""


@pytest.fixture
def parent(tmp_path):
    """Starts a program that has a decoder, and goes on with some lines."""
    (tmp_path / "endless.jpg").write_bytes(ENDLESS)
    (tmp_path / "good.jpg").write_bytes(PICTURES["kept"])

    started = []

    def start(then):
        script = PARENT.format(then=textwrap.dedent(then))
        words = [sys.executable, "-c", script, tmp_path / "endless.jpg", tmp_path / "good.jpg"]
        process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout.readline() == "ready\n", process.communicate()
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def wait_until(condition, seconds=20):
    ends = time.monotonic() + seconds
    while not condition() and time.monotonic() < ends:
        time.sleep(0.02)
    assert condition()


def test_a_decoder_does_not_outlive_a_parent_that_is_killed(parent):
    process = parent("normalise(data, PictureLimits(max_scans=100_000, deadline_s=0.3))")
    [child] = decoders_of(process.pid)
    process.kill()
    process.communicate()
    wait_until(lambda: not child.is_running())


def test_an_ordinary_end_leaves_nothing_behind_and_says_nothing(parent):
    process = parent("")
    out, err = process.communicate()
    assert (process.returncode, out, err) == (0, "", "")


def test_a_forked_process_starts_its_own(parent):
    process = parent(
        """
        if os.fork():
            code = os.waitstatus_to_exitcode(os.wait()[1])
            picture = normalise_there(open(sys.argv[2], "rb").read(), PictureLimits())
            print(code, picture.width)
        else:
            picture = normalise_there(open(sys.argv[2], "rb").read(), PictureLimits())
            os._exit(picture.width)
        """
    )
    assert process.communicate() == ("32 32\n", "")
