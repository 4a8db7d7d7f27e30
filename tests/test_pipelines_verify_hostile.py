"""Folders made to harm who verifies them: only lines come out, and nothing outside is read."""

import json
import os
import random
import shutil
from collections.abc import Iterator

import pytest
from fakes import sealed

from pairloom.__main__ import main
from pipelines.verify.dataset import find_problems
from transforms.dataset.checks import check_folder

VALUES = (None, True, -1, 2**63 - 1, 1.5, "", "../x", "\x1b[2J", "\ud800", [], {}, [[]], {"a": {}})


@pytest.fixture
def folder(honest_dataset, tmp_path):
    return shutil.copytree(honest_dataset, tmp_path / "pairs")


def paths_in(value: object, path: tuple = ()) -> Iterator[tuple]:
    """The path to every node below `value`."""
    inside = value.items() if isinstance(value, dict) else enumerate(value)
    for name, each in inside:
        yield (*path, name)
        if isinstance(each, dict | list):
            yield from paths_in(each, (*path, name))


def replaced(data: dict, path: tuple, value: object) -> dict:
    """A copy of `data` with `value` at `path`."""
    copy = json.loads(json.dumps(data))
    node = copy
    for name in path[:-1]:
        node = node[name]
    node[path[-1]] = value
    return copy


def assert_lines(problems: list[str]) -> None:
    assert problems
    assert len(problems) < 200
    for line in problems:
        assert line.isprintable()
        assert len(line) < 500


def test_every_wrong_value_everywhere_in_the_manifest_is_a_line(folder):
    path = folder / "manifest.json"
    data = json.loads(path.read_text())
    nodes = list(paths_in(data))
    drawn = random.Random(0)
    for node in nodes:
        for value in drawn.sample(VALUES, 3):
            changed = replaced(data, node, value)
            path.write_text(json.dumps(changed))
            problems = check_folder(folder, quick=True).problems
            assert changed == data or problems, (node, value)
            assert_lines(problems or ["the same"])
    assert len(nodes) > 150


def test_whatever_stands_in_a_configuration_that_was_sealed_ends_in_lines(folder):
    data = json.loads((folder / "manifest.json").read_text())
    parts = ("configuration", "models", "pool", "source", "software")
    nodes = [path for path in paths_in(data) if path[0] in parts]
    drawn = random.Random(0)
    for node in drawn.sample(nodes, 10):
        for value in drawn.sample([each for each in VALUES if each != "\ud800"], 1):
            changed = replaced(data, node, value)
            seal = {name: changed[name] for name in parts}
            if not all(isinstance(each, dict) for each in seal.values()):
                continue
            sealed.seal(folder, lambda manifest, seal=seal: manifest.update(seal))
            found = find_problems(folder)
            assert all(line.isprintable() for line in found.problems)
            about_choice = node[:2] in {("configuration", "thresholds"), ("configuration", "edits")}
            loosened = value is None or (node[-1] == "structure" and value == 1.5)
            if about_choice and not loosened and not isinstance(value, bool):
                assert found.problems, (node, value)


DEEP = "[" * 100_000 + "]" * 100_000


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (b"", "it must be JSON: Expecting value"),
        (b"[]", "it must be an object"),
        (b"\xef\xbb\xbf{}", "it must be JSON: "),
        (b"\xff\xfe{\x00}\x00", "it must be UTF-8"),
        (DEEP.encode(), "it must nest at most 64 deep"),
        (b'{"a":' * 70 + b"1" + b"}" * 70, "it must nest at most 64 deep"),
        (b'{"seed": NaN}', "numbers must be finite, got NaN"),
        (b'{"seed": 1e999}', "numbers must be finite, got 1e999"),
        (b'{"seed": ' + b"9" * 100_000 + b"}", "whole numbers must have at most 64 bits"),
        (b'{"seed": 1, "seed": 2}', "a name must stand once in an object, 'seed' does not"),
        (b'{"seed": "\\ud800"}', "texts must be Unicode"),
        (b"null", "it must be an object"),
        (b'{"schema_version": 5}', "schema version must be 1, 2, 3 or 4, got 5"),
        (b'{"schema_version": [2]}', "schema version must be 1, 2, 3 or 4"),
        (b"{}", "configuration is missing"),
    ],
)
def test_a_manifest_that_is_none_is_one_line(folder, text, line):
    (folder / "manifest.json").write_bytes(text)
    problems = find_problems(folder).problems
    assert_lines(problems)
    assert len(problems) == 1
    assert line in problems[0]


def test_a_manifest_larger_than_its_folder_warrants_is_not_read(folder):
    with (folder / "manifest.json").open("r+b") as file:
        file.truncate(10**11)
    [line] = find_problems(folder).problems
    assert line.startswith("manifest.json must have at most 4192000 bytes with so many receipts")


NAMES = (
    "../pairs/pairs-00000-of-00003.parquet",
    "/etc/passwd",
    "pairs-00000-of-00003.parquet/../../x",
    "pairs-00000-of-00003.parquet\x00",
    "pairs-00000-of-00003.parquet\n",
    "\x1b]0;owned\x07pairs-00000-of-00003.parquet",
    "",
    ".",
    "C:\\pairs.parquet",
)


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_leads_elsewhere_is_refused_before_anything_is_read(folder, name):
    path = folder / "manifest.json"
    data = json.loads(path.read_text())
    path.write_text(json.dumps(replaced(data, ("shards", 0, "files", 0, "name"), name)))
    [line] = find_problems(folder).problems
    assert_lines([line])
    assert "shards[0].files[0].name must be the name of a shard's file" in line


def test_the_file_of_another_shard_is_refused(folder):
    def change(manifest):
        manifest["shards"][0]["files"][0] = manifest["shards"][2]["files"][0]

    sealed.seal(folder, change)
    problems = find_problems(folder).problems
    assert any("shard 0: files must be pairs-00000-of-00003.parquet" in line for line in problems)


def test_thousands_of_shards_that_are_not_there_are_few_lines(folder):
    def change(manifest):
        [shard] = manifest["shards"][:1]
        files = shard["files"]
        manifest["shards"] = [
            shard
            | {"number": n, "of": 2000}
            | {"files": [f | {"name": f["name"].replace("00000", f"{n:05d}")} for f in files]}
            for n in range(2000)
        ]

    path = folder / "manifest.json"
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))
    assert_lines(find_problems(folder).problems)


@pytest.mark.parametrize("rows", [0, 1, 10**6, 2**63 - 1])
@pytest.mark.parametrize("place", range(3))
def test_a_number_of_rows_that_is_a_lie_is_found(folder, rows, place):
    sealed.seal(folder, lambda data: data["shards"][0]["files"][place].update(rows=rows))
    problems = find_problems(folder).problems
    assert any(f"rows must be {rows}, got " in line for line in problems)


LISTED = (
    "manifest.json",
    "README.md",
    "croissant.json",
    "run_summary.json",
    "COMPLETED",
    "shard-00000-of-00003.json",
    "pairs-00000-of-00003.parquet",
)


def replace_by(folder, name, kind):
    """Puts something else than a regular file in a file's place; what it was lies elsewhere."""
    path = folder / name
    path.rename(folder.parent / name)
    if kind == "a symbolic link":
        path.symlink_to(folder.parent / name)
    elif kind == "a pipe":
        os.mkfifo(path)
    else:
        path.mkdir()


@pytest.mark.parametrize("name", LISTED)
@pytest.mark.parametrize("kind", ["a symbolic link", "a pipe", "a folder"])
def test_what_is_no_regular_file_is_told_and_not_opened(folder, name, kind):
    replace_by(folder, name, kind)
    problems = find_problems(folder).problems
    assert f"{name}: it must be a regular file, is {kind}" in problems


def test_a_hard_link_is_a_regular_file(folder):
    os.link(folder / "README.md", folder.parent / "again")
    assert find_problems(folder).problems == []


STRAYS = (
    "pairs-extra.parquet",
    "PAIRS-extra.PARQUET",
    ".pairs-00000-of-00003.parquet",
    "pairs-00000-of-00003.parquet.parquet",
    "rejects-.parquet",
    "pairs-00000-of-00001.parquet",
    "shard-0-of-1.json",
    "pairs-\x1b[2J.parquet",
    os.fsdecode(b"pairs-\xff.parquet"),
    ".huggingface.yaml",
    "dataset_infos.json",
    "pairs.py",
)


@pytest.mark.parametrize("name", STRAYS)
@pytest.mark.parametrize("kind", ["file", "folder"])
def test_what_a_loader_would_take_for_a_part_is_told(folder, name, kind, capsys):
    (folder / name).mkdir() if kind == "folder" else (folder / name).write_bytes(b"PAR1")
    assert main(["verify", str(folder)]) == 1
    out = capsys.readouterr()
    [line] = [each for each in out.out.splitlines() if each.startswith("problem: ")]
    assert line.isprintable()
    assert "is not in the manifest" in line or "is none of the data set's files" in line
    assert out.err == ""


def test_a_persons_own_files_are_no_problem(folder):
    for name in ("notes.txt", "report.html", ".DS_Store", "plots.png"):
        (folder / name).write_text("mine")
    assert find_problems(folder).problems == []
