"""A build on Prism, Beam's own small portable engine, beside this machine's."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from fakes.command_line import build_command, index_folder, make_collection, preset_file
from fakes.folders import hashes
from places import find_places

ROOT = Path(__file__).parent.parent


def find_prism():
    """The program that `make prism` or `cluster/assemble.py` has made, or None."""
    places = [find_places(str(ROOT / "build" / "cluster")), find_places(None)]
    return next((each.prism for each in places if each.prism.is_file()), None)


@pytest.mark.slow
def test_prism_gives_the_bytes_of_this_machine_from_relative_paths(tmp_path):
    prism = find_prism()
    if prism is None:
        pytest.skip("Prism is not built: `make prism` does so where Go is at hand")
    make_collection(tmp_path / "pictures", 12)
    assert build_command(tmp_path / "pictures", tmp_path / "here").code == 0
    words = ["build", "pictures", "--index", str(index_folder()), "--out", "there"]
    words += ["--preset", str(preset_file()), "--captions", "source", "--senses", "frequency"]
    words += ["--runner", "PrismRunner"]
    program = os.path.relpath(prism, tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "pairloom", *words, "--", f"--prism_location={program}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    here, there = hashes(tmp_path / "here"), hashes(tmp_path / "there")
    assert {name for name in there if not name.startswith(".pairloom")} == set(here)
    assert all(there[name] == here[name] for name in here)
