import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
STARTED = """
import json, signal
from concurrent.futures import ProcessPoolExecutor
from fakes.worker_functions import held_back
from pipelines.running.worker_server import (
    start_worker_server, without_interruptions, worker_context,
)

if __name__ == "__main__":
    start_worker_server()
    with without_interruptions():
        pool = ProcessPoolExecutor(1, mp_context=worker_context())
        asked = pool.submit(held_back)
    print(json.dumps([asked.result(), sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ()))]))
    pool.shutdown()
"""


def test_a_worker_that_is_being_started_is_not_interrupted(tmp_path):
    script = tmp_path / "started.py"
    script.write_text(STARTED)
    said = subprocess.run(
        [sys.executable, str(script)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(map(str, (ROOT, ROOT / "tests")))},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    in_worker, here = json.loads(said.stdout.splitlines()[-1])
    assert {signal.SIGINT, signal.SIGTERM, signal.SIGHUP} <= set(in_worker)
    assert here == []


def test_a_command_that_ends_at_once_leaves_nothing_that_holds_its_output():
    """The server takes seconds to import what workers need, and has the command's output too."""
    words = ["index", "pictures", "--out", "out", "--workers", "2", "--no-such-flag"]
    with subprocess.Popen(
        [sys.executable, "-m", "pairloom", *words],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as command:
        assert command.wait(timeout=120) == 2
        ended = time.monotonic()
        assert "--no-such-flag" in command.stdout.read()
        assert time.monotonic() - ended < 2.0
