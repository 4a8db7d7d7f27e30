import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BENCHMARKS = ROOT / "benchmarks"
COMMANDS = sorted(
    path.name for path in BENCHMARKS.glob("*.py") if 'if __name__ == "__main__"' in path.read_text()
)
SILENT = {"support.silent_libraries", "support.still_life_job"}
"""What tells libraries to be silent before they are imported."""
ROOMS = ("editing", "indexes", "pairloom", "pipelines", "transforms")
NOT_COMMON = {"figures.py": ()}
"""Benchmarks without the flags that all have: this one draws nothing and reads what others say."""


def imports_of(name):
    """The modules that a script imports at once, in order."""
    found = []
    for node in ast.parse((BENCHMARKS / name).read_text()).body:
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found.append(str(node.module))
    return found


def silences_first(name):
    """Whether a script has libraries silenced before it imports anything of ours."""
    found = imports_of(name)
    ours = [at for at, one in enumerate(found) if one.partition(".")[0] in ROOMS]
    silent = [at for at, one in enumerate(found) if one in SILENT]
    return bool(silent) and min(silent) < min(ours, default=len(found))


LOUD = [name for name in COMMANDS if not silences_first(name)]
SAMPLE = ["near_duplicates.py", "real_captions.py"]
"""Two that silence libraries, and import Beam."""


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted({*LOUD, *SAMPLE}))
def test_a_benchmark_says_nothing_of_what_beam_lacks(name):
    """Those that silence nothing must import nothing that has something to say."""
    done = subprocess.run(
        [sys.executable, str(BENCHMARKS / name), "--help"],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", COMMANDS)
def test_a_benchmark_has_the_flags_that_all_have(name):
    text = (BENCHMARKS / name).read_text()
    flags = NOT_COMMON.get(name, ("add_report_flags(", "add_job_flags("))
    assert not flags or any(f"{flag}parser" in text for flag in flags)
