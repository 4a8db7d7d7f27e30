import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from fakes.worker_functions import write_process_id
from support.processes import call_apart

ROOT = Path(__file__).parent.parent
MEASURING = """
from sys import argv
from fakes.worker_functions import write_process_id
from support.processes import call_apart

if __name__ == "__main__":
    call_apart(write_process_id, argv[1], 300)
"""


def is_running(process_id):
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    return True


def test_it_is_another_process_that_works(tmp_path):
    call_apart(write_process_id, tmp_path / "id", 0)
    assert int((tmp_path / "id").read_text()) != os.getpid()


def test_what_is_measured_ends_with_the_benchmark(tmp_path):
    script, file = tmp_path / "measuring.py", tmp_path / "id"
    script.write_text(MEASURING)
    places = (ROOT, ROOT / "benchmarks", ROOT / "tests")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, places))}
    benchmark = subprocess.Popen([sys.executable, str(script), str(file)], env=environment)
    ends = time.monotonic() + 60
    while not file.exists() and time.monotonic() < ends:
        time.sleep(0.05)
    worker = int(file.read_text())
    benchmark.send_signal(signal.SIGKILL)
    benchmark.wait()
    while is_running(worker) and time.monotonic() < ends:
        time.sleep(0.05)
    assert not is_running(worker)
