"""Flags that break a rule: one line, exit code 2, and nothing written."""

import dataclasses

import pytest
from fakes.command_line import (
    build_command,
    copy_of_index,
    index_command,
    index_folder,
    make_collection,
    pool_folder,
    run,
)

from pipelines.terminal.console import CommandError
from transforms.presets import load_preset


def said(outcome):
    """The line of a command that was asked for wrongly."""
    line = outcome.error
    assert outcome.code == 2
    assert outcome.out == ""
    return line


def ask_build(tmp_path, *flags):
    """A build that would work but for `flags`."""
    out = tmp_path / "pairs"
    outcome = run("build", pool_folder(), "--index", index_folder(), "--out", out, *flags)
    assert not out.exists()
    return outcome


WRONG_BUILD_FLAGS = [
    (("--workers", "0"), "--workers: must be at least 1, got 0"),
    (("--workers", "two"), "--workers: must be a whole number, got 'two'"),
    (("--seed", "-1"), "--seed: must be at least 0, got -1"),
    (("--batch-size", "0"), "--batch-size: must be at least 1, got 0"),
    (("--edits", "0"), "--edits: must be at least 1, got 0"),
    (("--attempts", "0"), "--attempts: must be at least 1, got 0"),
    (("--candidates-per-edit", "0"), "--candidates-per-edit: must be at least 1, got 0"),
    (("--query", "nearest"), "--query: invalid choice: 'nearest' (choose from 'mean', 'text', "),
    (("--candidates", "all"), "--candidates: invalid choice: 'all'"),
    (("--captions", "mine"), "--captions: invalid choice: 'mine'"),
    (("--relations", "synonym"), "--relations: invalid choice: 'synonym'"),
    (("--parts-of-speech", "verb"), "--parts-of-speech: invalid choice: 'verb'"),
    (("--query-weight", "heavy"), "--query-weight: invalid float value: 'heavy'"),
    (("--query", "mean", "--query-weight", "2"), "weight belongs to delta and blend, got query"),
    (("--query", "delta", "--query-weight", "nan"), "weight must be"),
    (("--query", "delta", "--query-weight", "-1"), "weight must be"),
    (("--threshold", "nose=0.5"), "threshold must be NAME=VALUE with a name of require_new_word"),
    (("--threshold", "rest"), "threshold must be NAME=VALUE"),
    (("--threshold", "rest=high"), "--threshold rest=high: "),
    (("--threshold", "rest=1.5"), "rest must be in [0, 1], got 1.5"),
    (("--threshold", "rest=nan"), "rest must be in [0, 1], got nan"),
    (("--threshold", "structure=-0.1"), "structure must be in [0, 1], got -0.1"),
    (("--threshold", "directional=-1.1"), "directional must be in [-1, 1], got -1.1"),
    (("--threshold", "image_image=2"), "image_image must be in [-1, 1], got 2"),
    (("--threshold", "require_new_word=maybe"), "require_new_word must be true or false"),
    (("--threshold", "order=random"), "order must be 'quality' or 'retrieval'"),
    (("--runner", "DirectRunner"), "--runner must name one runner"),
    (("--runner", "direct"), "--runner must name one runner"),
    (("--runner", "WalkingRunner"), "--runner: Unexpected pipeline runner: WalkingRunner"),
    (("--runner", "no.such.Runner"), "--runner: No module named 'no'"),
    (("--runner", "json.JSONDecoder"), "--runner: 'JSONDecoder' object has no attribute"),
    (("--runner", "FlinkRunner", "--workers", "2"), "--workers is for this machine"),
    (("--runner", "FlinkRunner", "--", "--parallelism=two"), "flags for Beam: argument"),
    (("--", "--parallelism=2"), "--parallelism=2 is a flag for Beam and needs --runner"),
    (("--flink_master=here",), "unrecognized arguments: --flink_master=here"),
    (("--frobnicate",), "unrecognized arguments: --frobnicate"),
]


@pytest.mark.parametrize(("flags", "expected"), WRONG_BUILD_FLAGS)
def test_a_wrong_flag_of_build(tmp_path, flags, expected):
    assert expected in said(ask_build(tmp_path, *flags))


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (("--workers", "-3"), "--workers: must be at least 1, got -3"),
        (("--seed", "1.5"), "--seed: must be a whole number, got '1.5'"),
        (("--batch-size", "0"), "--batch-size: must be at least 1, got 0"),
        (("--captions", "mine"), "--captions: invalid choice: 'mine'"),
        (("--runner", "DirectRunner"), "--runner must name one runner"),
        (("--", "--parallelism=2"), "needs --runner"),
    ],
)
def test_a_wrong_flag_of_index(tmp_path, flags, expected):
    out = tmp_path / "index"
    assert expected in said(run("index", pool_folder(), "--out", out, *flags))
    assert not out.exists()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ((), "the following arguments are required: COMMAND"),
        (("frobnicate",), "invalid choice: 'frobnicate'"),
        (("build",), "the following arguments are required: source, --index, --out"),
        (("index", "still-life"), "the following arguments are required: --out"),
        (("demo", "--sources", "0"), "--sources: must be at least 1, got 0"),
        (("demo", "--pool", "1"), "--pool: must be at least 2, got 1"),
        (("demo", "--workers", "0"), "--workers: must be at least 1, got 0"),
        (("demo", "--", "--parallelism=2"), "demo takes no flags for Beam, got --parallelism=2"),
        (("report", "somewhere", "--pairs", "0"), "--pairs must be >= 1, got 0"),
        (("verify",), "the following arguments are required: DIR"),
        (("index", "still-life", "--out", ""), "--out needs a value, got an empty one"),
        (("index", "still-life", "--out="), "--out needs a value, got an empty one"),
        (("index", "\udcff", "--out", "x"), "data sets must be UTF-8, got \\udcff"),
        (("verify", ""), "verify needs a value, got an empty one"),
        (("rethreshold", "here", "--out", "here"), "--out must be another folder, got here"),
    ],
)
def test_a_wrong_command_line(tmp_path, monkeypatch, words, expected):
    monkeypatch.chdir(tmp_path)
    assert expected in said(run(*words))
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def photos(tmp_path):
    """A folder of pictures, and a link to it beside it."""
    (tmp_path / "link").symlink_to("photos")
    return make_collection(tmp_path / "photos", 2)


PLACES = [
    ("photos", "photos"),
    ("photos", "photos/out"),
    ("photos", "photos/deep/out"),
    ("photos", "link/out"),
    ("photos", "other/../photos/out"),
    ("link", "photos/out"),
]


@pytest.mark.parametrize(("source", "out"), PLACES)
@pytest.mark.parametrize("command", [index_command, build_command])
def test_an_output_inside_the_pictures(tmp_path, photos, command, source, out):
    index_folder()
    before = sorted(tmp_path.rglob("*"))
    line = command(tmp_path / source, tmp_path / out)
    rule = f"--out must lie outside the pictures in {tmp_path / source}, got {tmp_path / out}"
    assert (line.code, line.error) == (2, rule)
    assert sorted(tmp_path.rglob("*")) == before


def test_an_output_inside_the_pictures_of_the_index(photos):
    outcome = build_command(photos, pool_folder() / "pairs")
    assert outcome.code == 2
    assert outcome.error.startswith(f"--out must lie outside the pictures in {pool_folder()}, got")
    assert not (pool_folder() / "pairs").exists()


def test_an_index_inside_the_pictures(tmp_path, photos):
    inside = copy_of_index(photos / "index")
    outcome = build_command(photos, tmp_path / "pairs", index=inside)
    assert outcome.code == 2
    assert outcome.error == f"--index must lie outside the pictures in {photos}, got {inside}"
    assert not (tmp_path / "pairs").exists()


def test_outputs_beside_the_pictures_or_behind_a_link_among_them(tmp_path, photos):
    (tmp_path / "elsewhere").mkdir()
    (photos / "away").symlink_to(tmp_path / "elsewhere")
    for out in (tmp_path / "photos-pairs", photos / "away" / "pairs"):
        built = build_command(photos, out)
        assert built.code == 0, built.err
        assert built.counts["sources"] == 2
    again = photos / "again"
    outcome = run("rethreshold", tmp_path / "photos-pairs", "--out", again)
    assert outcome.code == 2
    assert outcome.error == f"--out must lie outside the pictures in {photos}, got {again}"
    assert not again.exists()


def test_more_edits_than_attempts_means_as_many_attempts(tmp_path):
    # The flags name both, and the larger number is what is tried.
    from pipelines.build.command import read_options
    from pipelines.main import read_arguments

    words = ["build", "x", "--index", str(tmp_path), "--out", "y", "--edits", "7"]
    options = read_options(read_arguments(words), load_preset("stilllife"))
    assert options.rewrite.edits == 7


@pytest.mark.parametrize(
    ("flags", "defaults", "senses"),
    [
        ([], {}, "picture"),
        ([], {"senses": "frequency"}, "frequency"),
        (["--senses", "picture"], {"senses": "frequency"}, "picture"),
    ],
)
def test_a_preset_says_what_decides_senses_where_nobody_does(tmp_path, flags, defaults, senses):
    from pipelines.build.command import read_options
    from pipelines.main import read_arguments

    preset = dataclasses.replace(load_preset("stilllife"), name="mine", defaults=defaults)
    words = ["build", "x", "--index", str(tmp_path), "--out", "y", *flags]
    assert read_options(read_arguments(words), preset).senses == senses


def test_senses_of_a_preset_that_are_none_are_one_line(tmp_path):
    from pipelines.build.command import read_options
    from pipelines.main import read_arguments

    preset = dataclasses.replace(load_preset("stilllife"), defaults={"senses": "guess"})
    words = ["build", "x", "--index", str(tmp_path), "--out", "y"]
    with pytest.raises(CommandError, match=r"senses must be one of .* got 'guess'"):
        read_options(read_arguments(words), preset)


def test_beam_flags_reach_the_runner():
    from pipelines.main import read_arguments
    from pipelines.running.execution_arguments import read_execution

    words = ["index", "x", "--out", "y", "--runner", "FlinkRunner", "--", "--parallelism=2"]
    execution = read_execution(read_arguments(words))
    assert execution.beam_flags == ("--runner=FlinkRunner", "--parallelism=2")


def test_rethreshold_refuses_a_wrong_threshold(tmp_path):
    made = tmp_path / "pairs"
    assert build_command(make_collection(tmp_path / "pictures", 2), made).code == 0
    outcome = run("rethreshold", made, "--out", tmp_path / "again", "--threshold", "rest=2")
    assert "rest must be in [0, 1], got 2" in said(outcome)
    assert not (tmp_path / "again").exists()
