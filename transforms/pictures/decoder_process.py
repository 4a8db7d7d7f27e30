"""A process that decodes pictures for another, and that the system ends at a deadline.

Nothing in Python can stop a decoder written in C. So where decoding could take long it is done
here: the process sets itself an alarm that nothing handles, before each picture, and the kernel
ends it, whatever its parent does meanwhile. Requests and answers are pickled, one after another.
"""

import os
import pickle
import signal
import sys
from typing import BinaryIO

from transforms.pictures.decoding import normalise_here
from transforms.pictures.limits import PictureLimits

_WALL_SECONDS_TO_A_SECOND = 10
"""The deadline counts computing, so that a busy machine gives the same answer as an idle one; a
process that waits, for memory on a disk for instance, is ended after so many times as long."""


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answers requests, (bytes, limits) each, until there are no more.

    An answer is a `NormalisedPicture`, without its bytes where they are those that came, or the
    exception that `normalise_here` raised.
    """
    while True:
        try:
            data, limits = pickle.load(requests)
        except EOFError:
            return
        pickle.dump(_answer(data, limits), answers, protocol=pickle.HIGHEST_PROTOCOL)
        answers.flush()


def _answer(data: bytes, limits: PictureLimits) -> object:
    _set_alarms(limits.deadline_s)
    try:
        picture = normalise_here(data, limits)
    except Exception as error:  # noqa: BLE001 - whoever asked gets it, and raises it there
        return error
    finally:
        _set_alarms(0)
    return picture.without_bytes() if picture.bytes is data else picture


def _set_alarms(seconds: float) -> None:
    signal.setitimer(signal.ITIMER_PROF, seconds)
    signal.setitimer(signal.ITIMER_REAL, seconds * _WALL_SECONDS_TO_A_SECOND)


def main() -> None:
    """Serves standard input and output; what libraries print goes nowhere."""
    answers = os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    # A terminal sends Ctrl-C to all processes; the parent is the one that answers it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for alarm in (signal.SIGPROF, signal.SIGALRM):
        signal.signal(alarm, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGPROF, signal.SIGALRM))
    serve(sys.stdin.buffer, answers)


if __name__ == "__main__":
    main()
