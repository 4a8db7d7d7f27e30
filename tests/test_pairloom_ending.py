"""The end of a command's process: what was to be called is called, the rest is left as it is."""

import subprocess
import sys

import pytest

SCRIPT = """
import atexit, sys, threading, time
from pairloom.ending import QuickEnd

class Loud:
    def __del__(self):
        print("taken apart")

ending = QuickEnd()
atexit.register(print, "called")
threading.Thread(target=lambda: (time.sleep(0.2), print("waited for"))).start()
loud = Loud()
ending.code = {code}
sys.stdout.write("in a buffer, ")
"""


@pytest.mark.parametrize(
    ("code", "returned", "last"), [(3, 3, []), (0, 0, []), (None, 0, ["taken apart"])]
)
def test_all_that_was_registered_is_called_and_nothing_taken_apart(code, returned, last):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(code=code)], capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (returned, "")
    assert done.stdout.splitlines() == ["in a buffer, waited for", "called", *last]
