import pickle

import pytest
from fakes.pictures import picture_bytes
from fakes.records import read_all

from transforms.protocols import SourceError
from transforms.sources import folder_plan
from transforms.sources.folder import FolderSource
from transforms.sources.folder_plan import FolderPlan, StoredPlan, store_plan

PLAN = FolderPlan(tuple(b"%05d.png" % row for row in range(1000)), {7: 3, 999: 0})


@pytest.fixture(params=[65_536, 64])
def rows_a_batch(request, monkeypatch):
    monkeypatch.setattr(folder_plan, "ROWS_A_BATCH", request.param)


@pytest.mark.usefixtures("rows_a_batch")
def test_a_stored_plan_says_the_same(tmp_path):
    stored = store_plan(PLAN, tmp_path / "kept")
    assert (stored.rows, PLAN.rows) == (1000, 1000)
    assert [stored.name(row) for row in range(1000)] == list(PLAN.names)
    repeats = {row: stored.repeats(row) for row in range(1000) if stored.repeats(row) is not None}
    assert repeats == PLAN.duplicates
    assert store_plan(stored, tmp_path / "elsewhere") is stored
    assert store_plan(PLAN, tmp_path / "kept") == stored
    assert len(list((tmp_path / "kept").iterdir())) == 1


def test_a_stored_plan_that_is_gone_or_another_is_refused(tmp_path):
    stored = store_plan(PLAN, tmp_path)
    [path] = tmp_path.iterdir()
    other = StoredPlan(str(path), "0" * 64, 1000)
    with pytest.raises(SourceError, match="is not that of this run"):
        other.name(0)
    path.write_bytes(b"nothing")
    with pytest.raises(SourceError, match="is not that of this run"):
        stored.name(0)
    path.unlink()
    with pytest.raises(SourceError, match="every worker must see the output folder"):
        stored.repeats(0)


def test_a_source_with_a_stored_plan_is_read_alike_and_travels_light(tmp_path):
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for number in range(40):
        (pictures / f"{number:03d}.png").write_bytes(picture_bytes(number % 30, size=(20, 20)))
    source = FolderSource(str(pictures), shard_size=7)
    before, shards = read_all(source), source.shards()
    source.store_plan(tmp_path / "kept")
    copy = pickle.loads(pickle.dumps(source))
    assert (copy.shards(), read_all(copy)) == (shards, before)
    (pictures / "0.png").write_bytes(picture_bytes(31))
    assert read_all(copy) == before
    for number in range(40, 400):
        (pictures / f"{number:03d}.png").write_bytes(b"no picture %d" % number)
    larger = FolderSource(str(pictures), shard_size=7)
    larger.store_plan(tmp_path / "kept")
    assert larger.plan().rows == 401
    assert len(pickle.dumps(larger)) - len(pickle.dumps(copy)) < 16
