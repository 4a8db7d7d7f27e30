import dataclasses
import json
from itertools import islice

import pytest
from fakes.folders import hashes
from fakes.still_life import POOL, SOURCE, plan_index, plan_pairs

from pipelines.build.job import run_build
from pipelines.build.plain_loop import load_build, plain_build
from pipelines.index.job import run_index
from pipelines.running.execution import Execution
from pipelines.still_life.source import StillLifeSource
from transforms import retrieve, select
from transforms.dataset.shard_contents import ContentsError
from transforms.filter_rules import read_source_rules


@dataclasses.dataclass(frozen=True)
class Said:
    """A still life of which every other picture is said to be English, the others German."""

    still_life: StillLifeSource

    def shards(self):
        return self.still_life.shards()

    def read(self, shard):
        for picture in self.still_life.read(shard):
            language = ("en", "de")[picture.position % 2]
            yield dataclasses.replace(picture, language=language)

    def open(self, reference):
        return self.still_life.open(reference)

    def describe(self):
        return self.still_life.describe()


# The graphs run by FnApiRunner, which `run_build` and `run_index` name themselves.


@pytest.fixture
def world(tiny_preset, told_index):
    """The networks, and an index of told captions."""
    return tiny_preset, told_index[0]


def shard_files(folder):
    return {name: digest for name, digest in hashes(folder).items() if "-of-" in name}


def test_the_plain_loop_writes_the_bytes_of_the_graph(world, tmp_path):
    preset, index = world
    built = run_build(plan_pairs(preset, index, tmp_path / "graph"), Execution())
    receipts = plain_build(plan_pairs(preset, index, tmp_path / "plain"))
    assert built.counts.pairs > 20
    assert sum((receipt.counts.pairs for receipt in receipts), 0) == built.counts.pairs
    assert len(shard_files(tmp_path / "plain")) == 4 * len(SOURCE.shards())
    assert shard_files(tmp_path / "plain") == shard_files(tmp_path / "graph")


@pytest.mark.parametrize("same_captioner", [False, True])
def test_so_it_does_with_captions_by_a_model(world, tmp_path, same_captioner):
    preset, index = world
    if same_captioner:
        small = dataclasses.replace(POOL, count=60, start=540)
        index = tmp_path / "index"
        run_index(plan_index(preset, index, source=small, captions="model"), Execution())
    folders = [tmp_path / name for name in ("graph", "plain")]
    plans = [plan_pairs(preset, index, folder, captions="model") for folder in folders]
    assert (load_build(plans[1]).known is not None) == same_captioner
    built = run_build(plans[0], Execution())
    plain_build(plans[1])
    # Where the pool's captions are the tiny model's too, the texts are none that Rewrite changes.
    assert built.counts.queries > 0 or same_captioner
    assert built.counts.sources == 40
    assert shard_files(folders[0]) == shard_files(folders[1])


def test_a_build_goes_on_from_a_plain_loop(world, tmp_path):
    preset, index = world
    plan = plan_pairs(preset, index, tmp_path)
    plain_build(plan)
    assert not (tmp_path / "COMPLETED").exists()
    before = shard_files(tmp_path)
    summary = run_build(plan, Execution())
    assert summary.shards_skipped == summary.shards == 3
    assert shard_files(tmp_path) == before
    assert json.loads((tmp_path / "manifest.json").read_text())["counts"]["sources"] == 40


class LosingSource(StillLifeSource):
    """Passes over the first picture of each shard."""

    def read(self, shard):
        return islice(super().read(shard), 1, None)


def test_a_source_that_loses_a_picture_stops_it(world, tmp_path):
    source = LosingSource(**vars(SOURCE))
    with pytest.raises(ContentsError, match="15 sources must end in a pair or a reject, 14 did"):
        plain_build(plan_pairs(*world, tmp_path, source=source))


def test_other_choices_give_other_bytes(world, tmp_path):
    preset, index = world
    plain_build(plan_pairs(preset, index, tmp_path / "a"))
    baseline = plan_pairs(
        preset,
        index,
        tmp_path / "b",
        thresholds=select.baseline(),
        retrieve=retrieve.RetrieveOptions(query="mean", candidates="search"),
    )
    receipts = plain_build(baseline)
    assert sum(receipt.counts.pairs for receipt in receipts) == 40
    assert not set(shard_files(tmp_path / "a").items()) & set(shard_files(tmp_path / "b").items())


def test_pictures_may_choose_senses(world, tmp_path):
    preset, index = world
    folders = [tmp_path / name for name in ("graph", "plain")]
    plans = [plan_pairs(preset, index, folder, senses="picture") for folder in folders]
    run_build(plans[0], Execution())
    plain_build(plans[1])
    assert shard_files(folders[0]) == shard_files(folders[1])


def test_both_filter_sources_as_they_read_them(world, tmp_path):
    preset, index = world
    source = Said(dataclasses.replace(SOURCE, count=20))
    rules = read_source_rules(["language=en"])
    plans = [
        plan_pairs(preset, index, tmp_path / name, source=source, source_filters=rules)
        for name in ("graph", "plain")
    ]
    built = run_build(plans[0], Execution())
    plain_build(plans[1])
    assert shard_files(tmp_path / "graph") == shard_files(tmp_path / "plain")
    assert built.counts.rejects["filter_sources"] == {"language_filtered": 10}
    assert built.counts.pairs > 0


def test_mining_is_no_loop(world, tmp_path):
    plan = plan_pairs(*world, tmp_path, method="mine")
    with pytest.raises(ValueError, match="method must be search for a plain loop, got 'mine'"):
        load_build(plan)
