"""Decoding in a process of its own: for pictures whose decoding could take long.

The processes are started when they are first needed, one for each thread that decodes at the same
time, and serve until this process ends. One that is ended at a deadline, or dies, is replaced.
"""

import atexit
import contextlib
import os
import pickle
import signal
import subprocess
import sys
import threading
from pathlib import Path

from indexes.errors import PairloomError
from transforms.pictures.limits import PictureError, PictureLimits
from transforms.pictures.normalised import NormalisedPicture

_MODULE = "transforms.pictures.decoder_process"
_AT_DEADLINE = (-signal.SIGPROF, -signal.SIGALRM)


class DecoderProcessError(PairloomError):
    """The process that decodes pictures cannot be started, in one line."""


class _Decoder:
    """One such process."""

    def __init__(self) -> None:
        # The child finds the packages where this process found them, and nothing in the folder
        # where it happens to run; it computes with Pillow alone, so numpy needs no threads.
        root = Path(__file__).resolve().parents[2]
        places = os.pathsep.join([*filter(None, sys.path), str(root)])
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", _MODULE],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={**os.environ, "PYTHONPATH": places, "OPENBLAS_NUM_THREADS": "1"},
            )
        except OSError as error:
            raise DecoderProcessError(
                f"the process that decodes large pictures does not start: {error.strerror}"
            ) from error

    def is_alive(self) -> bool:
        """Whether the process has not ended."""
        return self._process.poll() is None

    def ask(self, data: bytes, limits: PictureLimits) -> object:
        """The answer to a request; EOFError where the process ended before it gave one."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            pickle.dump((data, limits), self._process.stdin, protocol=pickle.HIGHEST_PROTOCOL)
            self._process.stdin.flush()
            return pickle.load(self._process.stdout)
        except (BrokenPipeError, pickle.UnpicklingError) as error:
            raise EOFError from error

    def end(self) -> int:
        """Ends the process, where it has not ended, and says how it did (as `Popen.returncode`)."""
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):
                if pipe is not None:
                    pipe.close()
        return self._process.wait()

    def kill(self) -> None:
        """Ends the process whatever it does."""
        self._process.kill()
        self.end()


_idle: list[_Decoder] = []
_lock = threading.Lock()


def normalise_there(data: bytes, limits: PictureLimits) -> NormalisedPicture:
    """`normalise_here`, ended where it takes longer than `limits.deadline_s`.

    Raises:
        PictureError: as there; `decoding_deadline`, or `decoder_died`.
        DecoderProcessError: the process cannot be started.
    """
    decoder = _take()
    try:
        answer = decoder.ask(data, limits)
    except EOFError:
        raise _why(decoder.end(), limits) from None
    except BaseException:
        decoder.kill()  # interrupted: what it would answer belongs to nobody
        raise
    with _lock:
        _idle.append(decoder)
    if isinstance(answer, Exception):
        raise answer
    assert isinstance(answer, NormalisedPicture), type(answer)
    return answer if answer.bytes else answer.with_bytes(data)


def _take() -> _Decoder:
    with _lock:
        while _idle:
            decoder = _idle.pop()
            if decoder.is_alive():
                return decoder
            decoder.end()  # somebody ended it while it had nothing to do
    return _Decoder()


def _why(code: int, limits: PictureLimits) -> PairloomError:
    if code in _AT_DEADLINE:
        return PictureError(
            "decoding_deadline",
            f"decoding was ended after {limits.deadline_s:g} s of computing (deadline_s)",
        )
    if code < 0:
        return PictureError("decoder_died", f"the decoder was ended by signal {-code}")
    return DecoderProcessError(f"the process that decodes large pictures ended with {code}")


@atexit.register
def _end_all() -> None:
    with _lock:
        ended = _idle[:]
        _idle.clear()
    for decoder in ended:
        decoder.end()


# In a forked process the pipes are the parent's, and so are the answers.
os.register_at_fork(after_in_child=_idle.clear)
