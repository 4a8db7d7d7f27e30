"""Counts of the report add up, and say so where they do not."""

import dataclasses
import itertools
from collections import Counter

import pytest
from fakes.report import write_dataset

from pipelines.report.counts import MaskCounts, build_funnel, chain_steps, count_pairs
from pipelines.report.dataset import open_dataset
from pipelines.terminal.console import CommandError
from transforms.dataset.tables import DatasetError, ShardedTable


@pytest.fixture(scope="module")
def dataset(report_folder):
    return open_dataset(report_folder)


def test_the_funnel_adds_up(dataset):
    funnel = build_funnel(dataset, count_pairs(dataset).pairs)
    assert funnel.problems == ()
    assert funnel.sources == 48
    assert [step.stage for step in funnel.picture_steps] == ["read", "rewrite"]
    assert funnel.picture_steps[-1].went == funnel.queries == 42
    assert funnel.edit_steps[-1].went == funnel.pairs == 30
    assert funnel.edit_steps[0].reasons == {
        "directional_too_low": 6,
        "no_candidate": 3,
        "rest_differs": 3,
    }
    for steps in (funnel.picture_steps, funnel.edit_steps):
        for before, after in itertools.pairwise(steps):
            assert before.went == after.came


def test_a_manifest_that_the_shards_contradict_is_reported(dataset):
    funnel = build_funnel(dataset, pairs=29)
    assert any("counts 30 pairs, the shards hold 29" in line for line in funnel.problems)


def test_lost_rejects_are_reported(dataset):
    first = ShardedTable(dataset.rejects.files[:1])
    funnel = build_funnel(dataclasses.replace(dataset, rejects=first), pairs=30)
    assert any("query rejects" in line for line in funnel.problems)


def test_pairs_are_counted_by_kind_and_words(dataset):
    counts = count_pairs(dataset)
    assert counts.pairs == 30 == sum(counts.exchanges.values()) == sum(counts.methods.values())
    assert counts.kinds()["noun", "co-hyponym"] == 24
    assert counts.kinds()["adjective", "antonym"] == 2
    assert counts.source_masks.empty == 3
    assert counts.target_masks.empty == 0
    assert counts.source_masks.total == counts.target_masks.total == 30


def test_mask_areas_of_all_sizes_are_counted():
    masks = MaskCounts()
    for area in (None, 0.0, 1e-9, 0.5, 1.0):
        masks.add(area)
    assert (masks.not_computed, masks.empty, masks.total) == (1, 1, 4)
    assert masks.areas[0] == masks.areas[20] == masks.areas[-1] == 1


def test_stages_come_in_the_order_of_the_graph_and_unknown_ones_last():
    rejects = {"zoom": Counter(a=1), "write": Counter(b=2), "read": Counter(c=3, d=4)}
    steps = chain_steps(20, rejects)
    assert [(step.stage, step.came, step.went) for step in steps] == [
        ("read", 20, 13),
        ("write", 13, 11),
        ("zoom", 11, 10),
    ]
    assert list(steps[0].reasons) == ["d", "c"]


def test_no_folder(tmp_path):
    with pytest.raises(DatasetError, match="must be a folder"):
        open_dataset(tmp_path / "none")


def test_a_build_that_did_not_finish_is_refused(tmp_path):
    write_dataset(tmp_path, pairs=2, rejects=0)
    (tmp_path / "COMPLETED").unlink()
    with pytest.raises(CommandError, match="no build has finished"):
        open_dataset(tmp_path)


@pytest.mark.parametrize(
    ("name", "error"), [("manifest.json", DatasetError), ("run_summary.json", CommandError)]
)
def test_broken_json_is_one_line(tmp_path, name, error):
    write_dataset(tmp_path, pairs=2, rejects=0)
    (tmp_path / name).write_text("{")
    with pytest.raises(error, match=name):
        open_dataset(tmp_path)


def test_a_shard_that_is_cut_short_is_one_line(tmp_path):
    write_dataset(tmp_path, pairs=4, rejects=0)
    shard = next(tmp_path.glob("pairs-00001*"))
    shard.write_bytes(shard.read_bytes()[:-100])
    with pytest.raises(DatasetError, match=r"cannot read .*pairs-00001-of-00002"):
        count_pairs(open_dataset(tmp_path))


def test_a_shard_that_is_gone_is_one_line(tmp_path):
    write_dataset(tmp_path, pairs=4, rejects=0)
    next(tmp_path.glob("pairs-00001*")).unlink()
    with pytest.raises(DatasetError, match=r"cannot read .*pairs-00001-of-00002"):
        count_pairs(open_dataset(tmp_path))


def test_a_data_set_without_run_summary_is_read(tmp_path):
    write_dataset(tmp_path, pairs=2, rejects=0)
    (tmp_path / "run_summary.json").unlink()
    assert open_dataset(tmp_path).run_summary == {}
