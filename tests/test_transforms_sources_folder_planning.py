"""A folder of more files than are held in memory is planned as one of few."""

import gc
import os
import pickle
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from fakes.pictures import picture_bytes
from fakes.records import read_all
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.pictures.decoding import DEFAULT_LIMITS, PictureLimits
from transforms.sources import folder, folder_plan, folder_planning
from transforms.sources.folder import FolderSource
from transforms.sources.folder_plan import FolderPlan, ScratchPlan, store_plan
from transforms.sources.folder_planning import plan_folder, remove_scratch

HELD = 7


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A folder of 200 files of six contents, two of them alike at both ends, and what is none."""
    root = tmp_path_factory.mktemp("files")
    body = bytes(10_000)
    contents = [b"a", b"bb", b"cc", body + b"x" + body, body + b"y" + body, b"d" * 300]
    rng = np.random.default_rng(0)
    for number, chosen in enumerate(rng.integers(len(contents), size=200)):
        (root / f"{rng.integers(10**6)}-{number}").write_bytes(contents[chosen])
    (root / "empty").touch()
    (root / "gone").symlink_to(root / "nowhere")
    (root / "too-large").write_bytes(bytes(50_000))
    (root / "too-large-again").write_bytes(bytes(50_000))
    return root


def names_of(root):
    return [os.fsencode(path.name) for path in root.iterdir()]


LIMITS = PictureLimits(max_bytes=40_000)


def rows_of(plan):
    return [(plan.name(row), plan.repeats(row)) for row in range(plan.rows)]


def expected(root):
    first = {}
    rows = []
    for row, name in enumerate(sorted(names_of(root))):
        path = root / os.fsdecode(name)
        data = path.read_bytes() if path.exists() else b""
        same = first.setdefault(data, row) if 0 < len(data) <= 40_000 else row
        rows.append((name, None if same == row else same))
    return rows


@pytest.mark.parametrize("runs", [128, 3])
@pytest.mark.parametrize("rows_a_batch", [65_536, 16])
def test_rows_and_repeats_are_those_of_a_plan_in_memory(files, monkeypatch, runs, rows_a_batch):
    monkeypatch.setattr(folder_planning, "MOST_RUNS", runs)
    monkeypatch.setattr(folder_plan, "ROWS_A_BATCH", rows_a_batch)
    held = plan_folder(str(files), names_of(files), LIMITS)
    assert isinstance(held, FolderPlan)
    assert rows_of(held) == expected(files)
    plan = plan_folder(str(files), names_of(files)[::-1], LIMITS, held=HELD)
    assert isinstance(plan, ScratchPlan)
    assert rows_of(plan) == rows_of(held)
    assert [path.name for path in Path(plan.path).parent.iterdir() if path.is_file()] == [
        Path(plan.path).name
    ]
    remove_scratch(plan)
    assert not Path(plan.path).parent.exists()


def test_it_is_stored_with_the_bytes_of_a_plan_in_memory(files, tmp_path):
    plan = plan_folder(str(files), names_of(files), LIMITS, held=HELD)
    stored = store_plan(plan, tmp_path / "a")
    held = store_plan(plan_folder(str(files), names_of(files), LIMITS), tmp_path / "b")
    remove_scratch(plan)
    assert stored.sha256 == held.sha256
    assert [path.read_bytes() for path in (tmp_path / "a").iterdir()] == [
        path.read_bytes() for path in (tmp_path / "b").iterdir()
    ]
    assert rows_of(stored) == rows_of(held)


@settings(max_examples=25, deadline=None)
@given(st.sets(st.binary(min_size=1, max_size=12).filter(lambda name: b"\0" not in name)))
def test_all_names_are_kept_in_the_order_of_their_bytes(names):
    plan = plan_folder("/nowhere", iter(names), DEFAULT_LIMITS, held=3)
    assert [plan.name(row) for row in range(plan.rows)] == sorted(names)
    if isinstance(plan, ScratchPlan):
        remove_scratch(plan)


def test_a_plan_that_cannot_be_finished_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def names():
        yield from (b"%d" % number for number in range(20))
        raise OSError("the folder is gone")

    with pytest.raises(OSError, match="the folder is gone"):
        plan_folder("/nowhere", names(), DEFAULT_LIMITS, held=HELD)
    assert list(tmp_path.iterdir()) == []


def test_a_source_reads_alike_and_cleans_up(tmp_path, monkeypatch):
    pictures, scratch = tmp_path / "pictures", tmp_path / "scratch"
    pictures.mkdir()
    scratch.mkdir()
    for number in range(30):
        (pictures / f"{number:03d}.png").write_bytes(picture_bytes(number % 20, size=(20, 20)))
    before = read_all(FolderSource(str(pictures), shard_size=7))
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    monkeypatch.setattr(folder, "plan_folder", partial(plan_folder, held=HELD))
    source = FolderSource(str(pictures), shard_size=7)
    assert read_all(source) == before
    copy = pickle.loads(pickle.dumps(source))
    assert read_all(copy) == before
    assert len(list(scratch.iterdir())) == 1
    source.store_plan(tmp_path / "kept")
    kept = pickle.loads(pickle.dumps(source))
    del source, copy
    gc.collect()
    assert list(scratch.iterdir()) == []
    assert read_all(kept) == before
