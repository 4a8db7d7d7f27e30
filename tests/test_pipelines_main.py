"""The command line as a whole: what it offers, how it ends, and the road from pictures to pairs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from fakes.command_line import (
    build_command,
    index_folder,
    loaded_by,
    make_collection,
    pool_folder,
    run,
    verify,
)
from fakes.folders import looks_finished

from pipelines.main import build_parser, main, read_arguments
from pipelines.terminal.console import CommandError

ROOT = Path(__file__).parent.parent
COMMANDS = ("demo", "index", "build", "verify", "report", "rethreshold", "fetch", "lexicon")


def test_help_names_every_command():
    outcome = run("--help")
    assert (outcome.code, outcome.err) == (0, "")
    offered = [line.split()[0] for line in outcome.out.splitlines() if line.startswith("    ")]
    assert set(COMMANDS) <= set(offered)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command):
    outcome = run(command, "--help")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.startswith(f"usage: pairloom {command} ")


def test_version_says_nothing_else():
    # Beam remarks on what is not installed while it is imported: stderr is for errors.
    done = subprocess.run(
        [sys.executable, "-m", "pairloom", "--version"],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("pairloom ")


def test_a_command_line_is_read_without_torch():
    """It takes seconds to import, also for who only asks for help, or lets workers compute."""
    _, loaded = loaded_by("--help")
    assert "apache_beam" in loaded
    assert loaded.isdisjoint({"torch", "scipy", "transformers"})


def test_the_version_is_told_without_any_command():
    said, loaded = loaded_by("--version")
    assert said.startswith("pairloom ")
    assert loaded.isdisjoint({"torch", "apache_beam", "pyarrow"})


def test_what_follows_two_dashes_is_kept_for_beam():
    words = ["index", "x", "--out", "y", "--runner", "FlinkRunner", "--", "--a=1", "--", "b"]
    assert read_arguments(words).beam_flags == ("--a=1", "--", "b")
    assert read_arguments(["index", "x", "--out", "y"]).beam_flags == ()
    with pytest.raises(CommandError, match="verify takes no flags for Beam, got --a=1"):
        read_arguments(["verify", "x", "--", "--a=1"])


def test_a_wrong_word_is_an_error_of_ours_and_not_an_exit():
    with pytest.raises(CommandError, match=r"invalid choice.*see pairloom --help"):
        build_parser().parse_args(["dance"])
    assert main(["dance"]) == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("index", "nowhere", "--out", "out"), "no such folder or file"),
        (("build", "still-life", "--index", "empty", "--out", "out"), "empty is not an index"),
        (("report", "empty"), "cannot read empty/manifest.json"),
        (("rethreshold", "empty", "--out", "out"), "cannot read empty/manifest.json"),
        (("fetch", "nowhere", "--out", "out"), "nowhere"),
    ],
)
def test_data_that_cannot_be_used_end_every_command_alike(tmp_path, monkeypatch, words, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    outcome = run(*words)
    assert said in outcome.error
    assert outcome.code == 1
    assert not (tmp_path / "out").exists()


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    out = tmp_path_factory.mktemp("road") / "pairs"
    return out, build_command(pool_folder(), out)


def test_build_ends_with_one_line_of_json(built):
    _, outcome = built
    assert (outcome.code, outcome.err) == (0, "")
    counts = outcome.counts
    assert counts["sources"] == counts["pairs"] == counts["sources_with_pairs"] == 6
    assert set(counts["seconds"]) >= {"Caption", "Embed", "Retrieve", "Select", "Segment"}
    queries = counts["pairs"] + sum(sum(each.values()) for each in counts["rejects"].values())
    assert counts["queries"] == queries
    assert outcome.out.count("{") == outcome.out.splitlines()[-1].count("{")


def test_the_data_set_is_whole_and_can_be_reported_and_selected_anew(built, tmp_path):
    out, _ = built
    assert looks_finished(out)
    assert verify(out).counts["ok"]
    page = tmp_path / "page.html"
    report = run("report", out, "--out", page, "--json")
    assert (report.code, report.counts["pairs"], report.counts["sources"]) == (0, 6, 6)
    assert page.read_text(encoding="utf-8").startswith("<!")
    again = run("rethreshold", out, "--out", tmp_path / "again", "--threshold", "rest=1", "--json")
    assert (again.code, again.err) == (0, "")
    assert again.counts["pairs_before"] == 6
    assert verify(tmp_path / "again").code == 0


def test_several_shards_give_what_one_shard_gives(tmp_path):
    source = tmp_path / "source.yaml"
    source.write_text(f"kind: folder\npath: {pool_folder()}\nshard_size: 2\n")
    outcome = build_command(source, tmp_path / "pairs")
    assert outcome.code == 0, outcome.err
    assert (outcome.counts["shards"], outcome.counts["pairs"]) == (3, 6)
    assert verify(tmp_path / "pairs").code == 0


def test_the_manifest_tells_the_road(built):
    out, _ = built
    manifest = json.loads((out / "manifest.json").read_bytes())
    assert manifest["source"] == manifest["pool"]
    assert manifest["models"]["encoder"].startswith("clip clip sha256=")
    assert manifest["configuration"]["models"]["captions"] == "source"


def test_verify_ends_with_another_code_where_something_is_wrong(built, tmp_path):
    out, _ = built
    assert run("verify", out).code == 0
    outcome = run("verify", tmp_path)
    assert outcome.code == 1
    assert "problem: COMPLETED is missing" in outcome.out


def test_an_interruption_ends_with_its_own_code(tmp_path, monkeypatch):
    import transforms.write

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(transforms.write, "shard_contents", interrupt)
    outcome = build_command(make_collection(tmp_path / "pictures", 2), tmp_path / "pairs")
    assert (outcome.code, outcome.error) == (130, "interrupted")
    assert not looks_finished(tmp_path / "pairs")


def test_debug_shows_where_it_came_from(tmp_path):
    words = ("build", tmp_path / "nowhere", "--index", index_folder(), "--out", tmp_path / "x")
    assert "Traceback" not in run(*words).err
    outcome = run("--debug", *words)
    assert outcome.code == 1
    assert "Traceback (most recent call last)" in outcome.err
    assert outcome.err.splitlines()[-1].startswith("pairloom: error: ")
