import json
import os
import signal
import subprocess
import sys
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
