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


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_a_benchmark_says_nothing_of_what_beam_lacks(name):
    done = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / name), "--help"],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    if name != "figures.py":  # it draws nothing, and reads what benchmarks say
        assert "--seed" in done.stdout
        assert "--json" in done.stdout
