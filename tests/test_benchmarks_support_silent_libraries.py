import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
COMMANDS = sorted(
    path.name
    for path in (ROOT / "benchmarks").glob("*.py")
    if 'if __name__ == "__main__"' in path.read_text()
)
SERVER = """
import json, os, runpy, sys, tempfile

import accelerate, diffusers, nltk, numpy, pyarrow.parquet, torch
import torchmetrics.functional.image
import transformers.modeling_utils

assert "apache_beam" not in sys.modules
for line in sys.stdin:
    script = line.strip()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = os.fork()
        if child == 0:
            os.dup2(out.fileno(), 1)
            os.dup2(err.fileno(), 2)
            sys.argv = [script, "--help"]
            sys.path[0] = os.path.dirname(script)
            try:
                runpy.run_path(script, run_name="__main__")
            except SystemExit as end:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(end.code or 0)  # to tidy up what was forked takes longer than all else
            os._exit(1)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        said = []
        for file in (out, err):
            file.seek(0)
            said.append(file.read().decode())
    print(json.dumps([code, *said]), flush=True)
"""
"""Runs scripts one after another, each in a process that has what takes longest to import, and has
nothing of Beam's; it says what each ended with and wrote."""


@pytest.fixture(scope="module")
def server():
    with subprocess.Popen(
        [sys.executable, "-c", SERVER],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield process
        process.stdin.close()


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_a_benchmark_says_nothing_of_what_beam_lacks(server, name):
    server.stdin.write(f"{ROOT / 'benchmarks' / name}\n")
    server.stdin.flush()
    code, out, err = json.loads(server.stdout.readline())
    assert (code, err) == (0, "")
    if name != "figures.py":  # it draws nothing, and reads what benchmarks say
        assert "--seed" in out
        assert "--json" in out
