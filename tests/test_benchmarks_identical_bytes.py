"""What the benchmark of killed commands compares, and that it finds what it looks for."""

import json
import random
import signal

import identical_bytes
import pytest
from fakes.slow_job import NUMBERS, SlowJob
from support import job_process
from support.command_plans import PLANS
from support.folder_bytes import RECEIPTS, differing, false_claims, hash_folder
from support.job_process import Kill, kill_at


@pytest.fixture
def quick_start(monkeypatch):
    monkeypatch.setattr(job_process, "PRELOADED", [])


@pytest.mark.usefixtures("quick_start")
def test_a_job_that_is_killed_and_goes_on_leaves_the_same_bytes(tmp_path, capsys):
    comparison = identical_bytes.Comparison(SlowJob(folder=tmp_path / "whole"))
    rng = random.Random(0)
    for number in (1, 2):
        comparison.interrupt(number, rng, SlowJob(folder=tmp_path / "other"))
    assert comparison.faults == []
    assert comparison.counts["compared"] == comparison.counts["the same"] == 2
    assert comparison.counts["killed"] + comparison.counts["ended before the kill"] == 2
    assert "edit-images, kill 2: the same" in capsys.readouterr().out


@pytest.mark.usefixtures("quick_start")
def test_a_file_that_is_half_written_under_its_name_is_a_false_claim(tmp_path):
    whole = SlowJob(folder=tmp_path / "whole")
    job_process.write_apart(whole)
    hasty = SlowJob(folder=tmp_path / "hasty", hasty=True)
    killed = kill_at(hasty, Kill(after=0.3, number=signal.SIGKILL, whole_family=True))
    assert (killed.in_time, killed.exit_code, killed.left) == (True, -signal.SIGKILL, 0)
    claims = false_claims(hasty, hash_folder(whole.folder))
    assert len(claims) == 1
    assert claims[0] in {f"edited-{number}.json" for number in NUMBERS}


def test_what_tells_of_times_is_not_compared(tmp_path):
    folders = tmp_path / "a", tmp_path / "b"
    for seconds, folder in enumerate(folders):
        (folder / "tensorboard").mkdir(parents=True)
        (folder / "tensorboard" / "events").write_text(f"{seconds}")
        (folder / "run_summary.json").write_text(f"{seconds}")
        (folder / ".pairloom.lock").write_text(f"{seconds}")
        sums = {"count": 3, "start_time": seconds, "end_time": seconds, "duration": seconds}
        (folder / "00000_stats.json").write_text(json.dumps(sums))
    first, second = map(hash_folder, folders)
    assert first == second
    assert list(first) == ["00000_stats.json"]
    (folders[1] / "00000_stats.json").write_text('{"count": 2}')
    (folders[1] / "more").touch()
    assert differing(hash_folder(folders[1]), first) == ["00000_stats.json", "more"]


def test_a_command_that_sigterm_ends_leaves_a_code_of_its_own():
    codes = {
        number: Kill(after=0, number=number, whole_family=False).exit_code()
        for number in (signal.SIGTERM, signal.SIGKILL)
    }
    assert codes == {signal.SIGTERM: 143, signal.SIGKILL: -9}


def test_every_command_has_a_plan_and_something_to_go_on_from(tmp_path):
    assert set(RECEIPTS) == set(identical_bytes.COMMANDS)
    for name, make in PLANS.items():
        plan = make(tmp_path, address="http://127.0.0.1:1", preset="stilllife", seed=3)
        assert plan.kind == name
        assert plan.folder.parent == tmp_path
