"""The folder of a job that goes on: what killed writers left in it is gone."""

import pytest

from pipelines.running.job_folder import JobFolder
from pipelines.terminal.console import CommandError


def job_in(folder):
    return JobFolder(folder=folder, name="run.json", one="a run", this="this run")


def test_what_killed_writers_left_is_removed_and_the_rest_stays(tmp_path):
    folder = tmp_path / "run"
    job_in(folder).begin({"steps": 3}, "one")
    (folder / "samples").mkdir()
    for name in (".run.json.0123abcd.tmp", "samples/.step-1.png.89abcdef.tmp"):
        (folder / name).write_text("half")
    (folder / "samples" / "step-1.png").write_text("whole")
    with pytest.raises(CommandError, match="holds a run with other settings"):
        job_in(folder).claim("another")
    assert len(list(folder.rglob("*.tmp"))) == 2  # another job's folder is left as it is
    assert job_in(folder).claim("one")
    files = {path.name for path in folder.rglob("*") if path.is_file()}
    assert files == {"run.json", "step-1.png"}
