"""Outputs that cannot be written, or that hold something else: nothing ever looks finished."""

import errno
import os
from pathlib import Path

import numpy as np
import pytest
from fakes.command_line import (
    build_command,
    index_command,
    index_folder,
    make_collection,
    pool_folder,
    run,
    verify,
)
from fakes.disk import files_of_at_most, refused_files
from fakes.folders import contents, looks_finished

import transforms.write
from indexes.faiss_building import VectorParts, build_index
from indexes.faiss_index import FaissIndex
from indexes.index_choice import choose_index
from indexes.layout import IndexFolderError, write_atomically


def no_litter(folder):
    """Whether no half-written file lies about."""
    return not [name for name in contents(folder) if name.endswith((".tmp", ".partial"))]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """What an undisturbed build makes of the pool."""
    folder = tmp_path_factory.mktemp("whole") / "pairs"
    assert build_command(pool_folder(), folder).code == 0
    return contents(folder)


def same_but_for_times(found, wanted):
    """Whether two data sets are the same; how long each run took is in none of its hashes."""
    assert found.pop("run_summary.json")
    return found == {name: data for name, data in wanted.items() if name != "run_summary.json"}


# Each size stops another file: the receipt, the pairs, the rejects, the candidates.
@pytest.mark.parametrize("size", [0, 300, 9_000, 25_000])
def test_a_full_disk_stops_a_build_in_one_line(tmp_path, whole, size):
    index_folder()
    out = tmp_path / "pairs"
    with files_of_at_most(size):
        outcome = build_command(pool_folder(), out)
    assert outcome.error.startswith(f"cannot write {out}/")
    assert outcome.error.endswith(": File too large")
    assert outcome.code == 1
    assert not looks_finished(out)
    assert no_litter(out)
    assert verify(out).code != 0
    assert build_command(pool_folder(), out).code == 0
    assert same_but_for_times(contents(out), whole)


@pytest.mark.parametrize(
    "name", ["pairs-", "rejects-", "candidates-", "shard-", "manifest", "README", "COMPLETED"]
)
def test_a_disk_that_fills_up_at_any_file_of_a_build(tmp_path, whole, name):
    out = tmp_path / "pairs"
    with refused_files(name, errno.ENOSPC):
        outcome = build_command(pool_folder(), out)
    assert outcome.error.startswith(f"cannot write {out}/{name}")
    assert outcome.error.endswith(": No space left on device")
    assert not looks_finished(out)
    assert no_litter(out)
    assert build_command(pool_folder(), out).code == 0
    assert same_but_for_times(contents(out), whole)


@pytest.mark.parametrize(
    "name",
    ["img_emb", "structure", "metadata", "rejects", "image.index", "image.json", "COMPLETED"],
)
def test_a_disk_that_fills_up_at_any_file_of_an_index(tmp_path, name):
    out = tmp_path / "index"
    with refused_files(name, errno.ENOSPC):
        outcome = index_command(pool_folder(), out)
    assert outcome.error.startswith(f"cannot write {out}/")
    assert outcome.error.endswith(": No space left on device")
    assert not looks_finished(out)
    assert no_litter(out)
    assert index_command(pool_folder(), out).code == 0
    assert contents(out) == contents(index_folder())


@pytest.mark.parametrize("size", [0, 200, 400, 1_500])
def test_a_full_disk_stops_an_index_in_one_line(tmp_path, size):
    index_folder()
    out = tmp_path / "index"
    with files_of_at_most(size):
        outcome = index_command(pool_folder(), out)
    assert outcome.error.startswith(f"cannot write {out}")
    assert outcome.error.endswith(": File too large")
    assert not looks_finished(out)
    assert no_litter(out)


def test_a_small_faiss_index_that_does_not_fit_is_noticed(tmp_path):
    # FAISS writes a small one as it closes the file, and is silent where that goes wrong.
    vectors = np.eye(8, dtype=np.float32)
    path = tmp_path / "image.index"

    def write(partial):
        build_index(VectorParts.of([vectors]), choose_index(8, 8), path=partial)

    with files_of_at_most(100), pytest.raises(IndexFolderError, match="File too large"):
        write_atomically(path, write)
    assert list(tmp_path.iterdir()) == []
    write_atomically(path, write)
    assert len(FaissIndex(path)) == 8


def test_the_error_of_a_stage_comes_without_the_noise_of_its_carrier(tmp_path, capfd):
    index_folder()
    with refused_files("pairs-", errno.EROFS):
        outcome = build_command(pool_folder(), tmp_path / "pairs")
        shown = capfd.readouterr()
        debugged = run("--debug", *argv_of_build(tmp_path / "pairs"))
    line = f"cannot write {tmp_path}/pairs/pairs-00000-of-00001.parquet: Read-only file system"
    assert outcome.error == line
    assert shown == ("", "")
    assert debugged.code == 1
    assert "Traceback" in debugged.err
    assert debugged.err.splitlines()[-1] == f"pairloom: error: {line}"


def argv_of_build(out):
    """The words of `build_command`, for a command line with flags before the command."""
    from fakes.command_line import preset_file

    words = ("build", pool_folder(), "--index", index_folder(), "--out", out)
    return (*words, "--preset", preset_file(), "--captions", "source")


def test_a_fault_of_the_program_is_one_line_with_its_type(tmp_path, monkeypatch):
    def stumble(*_, **__):
        raise KeyError("what should\nbe here")

    monkeypatch.setattr(transforms.write, "shard_contents", stumble)
    outcome = build_command(pool_folder(), tmp_path / "pairs")
    assert outcome.error == "KeyError: 'what should\\nbe here'"
    assert not looks_finished(tmp_path / "pairs")


def readonly_mkdir(self, *_, **__):
    raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(self))


@pytest.mark.parametrize("command", [index_command, build_command])
def test_a_read_only_place_for_the_output(tmp_path, monkeypatch, command):
    pool, out = pool_folder(), tmp_path / "out"
    index_folder()
    monkeypatch.setattr(Path, "mkdir", readonly_mkdir)
    line = command(pool, out).error
    assert str(out) in line
    assert line.endswith("Read-only file system")


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a file system for reading only")
@pytest.mark.parametrize("command", [index_command, build_command])
def test_a_place_that_takes_no_files(command):
    out = Path("/proc/self/task")
    line = command(pool_folder(), out / "out").error
    assert line.startswith((f"cannot write {out}/out", f"{out}/out"))


@pytest.mark.parametrize("command", [index_command, build_command])
def test_a_file_where_the_output_should_be(tmp_path, command):
    index_folder()
    out = tmp_path / "out"
    out.write_text("mine")
    assert str(out) in command(pool_folder(), out).error
    assert out.read_text() == "mine"
    assert str(out) in command(pool_folder(), out / "below").error


def test_an_output_that_holds_another_configurations_data_set(tmp_path, whole):
    out = tmp_path / "pairs"
    assert build_command(pool_folder(), out).code == 0
    before = contents(out)
    for more in (
        ("--seed", "1"),
        ("--query", "mean"),
        ("--threshold", "rest=0.5"),
        ("--batch-size", "3"),
        ("--captions", "model"),
    ):
        line = build_command(pool_folder(), out, *more).error
        assert line.startswith(f"{out} holds a data set of configuration ")
        assert contents(out) == before
    other = make_collection(tmp_path / "other", 3)
    assert "holds a data set of configuration" in build_command(other, out).error
    assert contents(out) == before
    replaced = build_command(other, out, "--overwrite")
    assert replaced.code == 0, replaced.err
    assert replaced.counts["sources"] == 3
    assert verify(out).code == 0
    assert build_command(pool_folder(), out, "--overwrite").code == 0
    assert same_but_for_times(contents(out), whole)


def test_a_second_run_finds_everything_there(tmp_path):
    out = tmp_path / "pairs"
    assert build_command(pool_folder(), out).code == 0
    before = contents(out)
    again = build_command(pool_folder(), out)
    assert again.code == 0, again.err
    assert again.counts["shards_skipped"] == again.counts["shards"] == 1
    assert contents(out) == before


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("manifest.json", "is not a manifest"),
        ("shard-00000-of-00001.json", "is not a shard receipt"),
    ],
)
def test_an_output_with_damaged_papers(tmp_path, name, said):
    out = tmp_path / "pairs"
    assert build_command(pool_folder(), out).code == 0
    (out / name).write_text("{}")
    assert said in build_command(pool_folder(), out).error
    assert verify(out).code == 1


def test_a_shard_that_lost_bytes_is_made_again(tmp_path, whole):
    out = tmp_path / "pairs"
    assert build_command(pool_folder(), out).code == 0
    path = out / "pairs-00000-of-00001.parquet"
    path.write_bytes(path.read_bytes()[:-10])
    assert verify(out).code == 1
    assert build_command(pool_folder(), out).code == 0
    assert same_but_for_times(contents(out), whole)


def test_what_is_no_file_is_not_replaced_by_one(tmp_path):
    pairs = tmp_path / "pairs"
    assert build_command(pool_folder(), pairs).code == 0
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    for name in ("pipe", "link"):
        outcome = run("report", pairs, "--out", tmp_path / name)
        assert outcome.error.endswith(f"{name}: it must be a file, or not be there yet")
        assert (tmp_path / name).is_fifo()
    assert no_litter(tmp_path)


def test_links_that_lead_in_a_circle_are_one_line(tmp_path):
    (tmp_path / "loop").symlink_to("loop")
    outcome = run("report", tmp_path / "loop", "--out", tmp_path / "page.html")
    assert outcome.code == 1
    assert outcome.error
