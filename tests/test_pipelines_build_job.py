import dataclasses
import os
import subprocess
import sys
import textwrap
from collections import Counter
from pathlib import Path

import pytest
from fakes.folders import hashes, rows_of
from fakes.still_life import SOURCE, InterruptedSource, plan_pairs

from pipelines.build.job import build_job, run_build
from pipelines.main import main
from pipelines.running.execution import Execution
from pipelines.running.sharded_job import run_unit
from pipelines.running.sharing import ShardUnit
from pipelines.still_life.pair_truth import judge_row, judge_still_lifes
from pipelines.still_life.source import StillLifeSource, StillLifeSubset
from pipelines.truth import Accuracy
from transforms.dataset.checks import check_folder
from transforms.dataset.files import OutputError
from transforms.dataset.folder import prepare_output
from transforms.dataset.manifest import load_manifest
from transforms.select import SelectionThresholds

# The graphs run by FnApiRunner, which `run_build` and `run_index` name themselves.

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def world(tiny_preset, told_index):
    """The networks, and an index of told captions."""
    return tiny_preset, told_index[0]


@pytest.fixture(scope="module")
def built(world, tmp_path_factory):
    """A finished data set and its summary."""
    folder = tmp_path_factory.mktemp("pairs")
    return folder, run_build(plan_pairs(*world, folder), Execution())


def looks_finished(folder):
    return [name for name in ("COMPLETED", "manifest.json") if (folder / name).exists()]


def test_every_source_ends_in_a_pair_or_a_reject(built):
    folder, summary = built
    pairs, rejects = rows_of(folder, "pairs"), rows_of(folder, "rejects")
    ended = {row["source_key"] for row in pairs} | {row["key"] for row in rejects}
    assert ended == {image.key for shard in SOURCE.shards() for image in SOURCE.read(shard)}
    assert 20 < len(pairs) == summary.counts.pairs
    assert Counter(f"{row['stage']}: {row['reason']}" for row in rejects) == {
        f"{stage}: {reason}": number
        for stage, reasons in summary.counts.rejects.items()
        for reason, number in reasons.items()
    }


def test_the_counts_add_up(built):
    folder, summary = built
    manifest = load_manifest(folder)
    assert manifest.problems() == []
    assert manifest.counts == summary.counts
    assert manifest.counts.sources == 40
    assert manifest.counts.queries == len(rows_of(folder, "candidates")) == 4 * 40
    assert check_folder(folder, quick=False).problems == []
    assert set(summary.seconds) >= {"Embed", "Retrieve", "Select", "Segment", "Write"}


def test_the_pairs_are_what_they_say(built):
    folder, _ = built
    for row in rows_of(folder, "pairs"):
        assert row["source_key"] != row["target_key"]
        assert row["edited_image"]["bytes"] != row["input_image"]["bytes"]
        # All captions are told: a pair is right exactly if the target is what was wanted.
        assert judge_row(row).right == (row["target_caption"] == row["edit_prompt"])


def test_the_report_is_told_the_truth(built):
    folder, _ = built
    pairs = rows_of(folder, "pairs")
    report = judge_still_lifes(folder)
    right = {row["key"] for row in pairs if row["target_caption"] == row["edit_prompt"]}
    assert right
    assert report.pairs == Accuracy(len(right), len(pairs))
    assert {key for key, verdict in report.verdicts.items() if verdict.right} == right
    assert len(report.verdicts) == len(pairs)
    assert len(report.position_errors_px) == len(right)
    assert report.attributes["colour"].total == len(pairs)
    assert not judge_row(pairs[0] | {"edit_prompt": pairs[0]["caption"]}).right


def test_exact_words_are_always_right(world, tmp_path):
    exact = SelectionThresholds(rest=1, word_order=1)
    counts = run_build(plan_pairs(*world, tmp_path, thresholds=exact), Execution()).counts
    pairs = rows_of(tmp_path, "pairs")
    assert 0 < counts.pairs == len(pairs)
    assert all(row["target_caption"] == row["edit_prompt"] for row in pairs)


def test_the_report_can_tell_which_networks_described_the_pictures(world, built):
    assert load_manifest(built[0]).configuration["preset"] == world[0].name


def test_at_most_so_many_pairs_a_source(world, built, tmp_path):
    run_build(plan_pairs(*world, tmp_path, edits=2), Execution())
    once = Counter(row["source_key"] for row in rows_of(built[0], "pairs"))
    twice = Counter(row["source_key"] for row in rows_of(tmp_path, "pairs"))
    assert set(once.values()) == {1}
    assert set(twice.values()) == {1, 2}


def test_a_finished_build_is_left_alone(world, built):
    folder, _ = built
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    summary = run_build(plan_pairs(*world, folder), Execution())
    assert summary.shards_skipped == summary.shards == 3
    assert summary.counts == built[1].counts
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def test_an_interrupted_build_goes_on(world, built, tmp_path):
    source = InterruptedSource(SOURCE, position=20)  # in the second of three shards
    with pytest.raises(KeyboardInterrupt):
        run_build(plan_pairs(*world, tmp_path, source=source), Execution(pictures_a_unit=1))
    assert looks_finished(tmp_path) == []
    assert len(list(tmp_path.glob("shard-*.json"))) == 1
    summary = run_build(plan_pairs(*world, tmp_path), Execution())
    assert summary.shards_skipped == 1
    assert hashes(tmp_path) == hashes(built[0])


KILLED = """
    import os, signal, sys
    sys.path.insert(0, "tests")
    from pathlib import Path
    from fakes.still_life import plan_index, plan_pairs
    from pipelines.build.job import run_build
    from pipelines.running.execution import Execution
    from transforms.presets import load_preset

    renamed = 0
    replace = os.replace

    def killed_at_the_sixth(*names):
        global renamed
        renamed += 1
        if renamed == 6:
            os.kill(os.getpid(), signal.SIGKILL)
        replace(*names)

    preset, index, out = sys.argv[1:]
    plan = plan_pairs(load_preset(preset), index, out)
    os.replace = killed_at_the_sixth
    run_build(plan, Execution(pictures_a_unit=1))
"""


@pytest.mark.slow
def test_a_killed_build_leaves_nothing_that_looks_finished(world, built, tmp_path):
    preset, index = world
    parts = {name: spec.describe() for name, spec in preset.parts.items()}
    (tmp_path / "tiny.yaml").write_text(str(parts).replace("None", "null"))
    out = tmp_path / "out"
    arguments = [str(tmp_path / "tiny.yaml"), str(index), str(out)]
    ended = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(KILLED), *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ended.returncode == -9, ended.stderr
    assert looks_finished(out) == []
    assert [path.name for path in out.glob("shard-*")] == ["shard-00000-of-00003.json"]
    assert any(path.name.endswith(".tmp") for path in out.iterdir())
    summary = run_build(plan_pairs(preset, index, out), Execution())
    assert summary.shards_skipped == 1
    assert hashes(out) == hashes(built[0])


@pytest.mark.slow
def test_two_workers_write_the_same_bytes(world, built, tmp_path):
    summary = run_build(plan_pairs(*world, tmp_path), Execution(workers=2, pictures_a_unit=1))
    assert summary.counts == built[1].counts
    assert hashes(tmp_path) == hashes(built[0])


def test_the_order_and_the_grouping_of_shards_change_nothing(world, built, tmp_path):
    plan = plan_pairs(*world, tmp_path)
    prepare_output(tmp_path, plan.configuration_hash)
    job = build_job(plan)
    first, second, third = job.shards
    run_unit(ShardUnit((third,), pictures=10), job.graph)
    run_unit(ShardUnit((second, first), pictures=30), job.graph)
    assert run_build(plan, Execution()).shards_skipped == 3
    assert hashes(tmp_path) == hashes(built[0])


def test_a_damaged_shard_is_made_again(world, built, tmp_path):
    plan = plan_pairs(*world, tmp_path)
    run_build(plan, Execution())
    damaged = tmp_path / "pairs-00001-of-00003.parquet"
    damaged.write_bytes(damaged.read_bytes()[:-100])
    assert run_build(plan, Execution()).shards_skipped == 2
    assert hashes(tmp_path) == hashes(built[0])


def test_another_configuration_is_refused_and_may_replace(world, tmp_path):
    run_build(plan_pairs(*world, tmp_path), Execution())
    before = hashes(tmp_path)
    other = plan_pairs(*world, tmp_path, seed=1)
    with pytest.raises(OutputError, match="holds a data set of configuration"):
        run_build(other, Execution())
    assert hashes(tmp_path) == before
    run_build(other, Execution(), overwrite=True)
    assert load_manifest(tmp_path).seed == 1
    assert looks_finished(tmp_path) == ["COMPLETED", "manifest.json"]


def test_fewer_shards_leave_no_stale_ones(world, tmp_path):
    run_build(plan_pairs(*world, tmp_path), Execution())
    larger = dataclasses.replace(SOURCE, shard_size=40)
    run_build(plan_pairs(*world, tmp_path, source=larger), Execution(), overwrite=True)
    assert {path.name.partition("-of-")[2] for path in tmp_path.glob("*-of-*")} == {
        "00001.parquet",
        "00001.json",
    }


def test_a_source_without_words_is_rejected_whole(world, tmp_path):
    silent = StillLifeSource(count=3, seed=9)
    counts = run_build(plan_pairs(*world, tmp_path, source=silent), Execution()).counts
    assert (counts.sources, counts.pairs, counts.queries) == (3, 0, 0)
    assert counts.rejects == {"caption": {"no_caption": 3}}
    assert looks_finished(tmp_path) == ["COMPLETED", "manifest.json"]


@dataclasses.dataclass(frozen=True)
class RepeatingSource:
    """Gives the first picture of the first shard once more, as the last of the last."""

    whole: StillLifeSource = SOURCE

    def shards(self):
        return self.whole.shards()

    def read(self, shard):
        for picture in self.whole.read(shard):
            first = next(self.whole.read(self.whole.shards()[0]))
            last = picture.position == self.whole.count - 1
            yield dataclasses.replace(picture, key=first.key) if last else picture

    def open(self, reference):
        return self.whole.open(reference)

    def describe(self):
        return self.whole.describe()


def test_a_source_that_repeats_a_key_is_refused(world, tmp_path):
    plan = plan_pairs(*world, tmp_path, source=RepeatingSource())
    key = next(SOURCE.read(SOURCE.shards()[0])).key
    rule = f"must be unique, {key} is in shard 00000 and in shard 00002"
    for _ in range(2):
        with pytest.raises(OutputError, match=rule):
            run_build(plan, Execution())
        assert looks_finished(tmp_path) == []


def test_pairs_of_drawn_sources_can_be_selected_anew(world, tmp_path):
    drawn = StillLifeSubset(collection=SOURCE, objects=1, drawn=10, draw_seed=2)
    strict = SelectionThresholds(structure=0.99)
    run_build(plan_pairs(*world, tmp_path / "a", source=drawn, thresholds=strict), Execution())
    assert main(["rethreshold", *map(str, (tmp_path / "a", "--out", tmp_path / "b")), *LOOSE]) == 0
    before, after = (rows_of(tmp_path / name, "pairs") for name in ("a", "b"))
    assert len(before) < len(after) > 5
    for row in after:
        assert row["input_image"]["bytes"] == drawn.open(row["source_reference"])
    assert check_folder(tmp_path / "b").problems == []


LOOSE = ("--threshold", "structure=none")
