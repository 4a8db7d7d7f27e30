import tempfile
from pathlib import Path

import pytest

from pipelines.main import read_arguments
from pipelines.running.execution_arguments import read_execution
from pipelines.terminal.console import CommandError

INDEX = ("index", "still-life", "--out", "here/index")
EDIT_IMAGES = ("edit-images", ".", "--out", "edits", "--editor", "copy")


@pytest.mark.parametrize("words", [INDEX, EDIT_IMAGES])
def test_folders_are_absolute_for_another_runner_and_as_given_here(words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    here = read_arguments(words)
    read_execution(here)
    assert str(here.out) == words[3]
    there = read_arguments((*words, "--runner", "FnApiRunner"))
    read_execution(there)
    assert str(there.out) == str(Path.cwd() / words[3])
    if words is EDIT_IMAGES:
        assert there.dataset == Path.cwd()


def test_addresses_stay_as_they_are():
    words = ("index", "still-life", "--out", "s3://bucket/index", "--runner", "FnApiRunner")
    arguments = read_arguments(words)
    read_execution(arguments)
    assert str(arguments.out) == "s3://bucket/index"


def test_a_misspelt_flag_of_beams_is_refused_before_anything_is_done():
    words = (*INDEX, "--runner", "FlinkRunner", "--", "--paralelism=2")
    with pytest.raises(CommandError, match="did you mean --parallelism") as raised:
        read_execution(read_arguments(words))
    assert raised.value.exit_code == 2


def test_looking_at_the_flags_leaves_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    read_execution(read_arguments((*INDEX, "--runner", "FnApiRunner")))
    assert list(tmp_path.iterdir()) == []
