import signal
import sys
import time

import pytest
from processes import children, end, find, launch, names

SLEEP = [sys.executable, "-c", "import time; print('here', flush=True); time.sleep(60)"]


@pytest.fixture
def folder(tmp_path):
    yield tmp_path
    for name in names(tmp_path):
        end(tmp_path, name, signal.SIGKILL)


def test_a_process_is_started_once_found_and_ended(folder):
    process = launch(folder, "sleeper", SLEEP)
    assert launch(folder, "sleeper", SLEEP) == process == find(folder, "sleeper")
    assert names(folder) == ["sleeper"]
    assert end(folder, "sleeper")
    assert find(folder, "sleeper") is None
    assert not end(folder, "sleeper")
    assert launch(folder, "sleeper", SLEEP) != process


def test_a_file_that_names_another_process_ends_nobody(folder):
    process = launch(folder, "sleeper", SLEEP)
    (folder / "other.pid").write_text(f"{process} 1")
    assert find(folder, "other") is None
    assert not end(folder, "other")
    assert find(folder, "sleeper") == process
    (folder / "broken.pid").write_text("no number")
    assert find(folder, "broken") is None
    assert find(folder, "never started") is None


def test_children_are_those_that_still_run(folder):
    code = f"import subprocess; subprocess.run({SLEEP!r})"
    process = launch(folder, "parent", [sys.executable, "-c", code])
    deadline = time.monotonic() + 30
    while not children(process):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    [child] = children(process)
    end(folder, "parent", signal.SIGKILL)
    assert children(process) == []
    assert children(child) == []
