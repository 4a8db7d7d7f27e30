"""Whole data sets cleaned: nothing leaks, whatever the seed and the number of workers."""

import json

import pyarrow.parquet as pq
import pytest
from fakes import copies, sealed

from pipelines.cleaning import job as cleaning_job
from pipelines.cleaning.job import run_clean
from pipelines.cleaning.options import CleanOptions
from pipelines.cleaning.plan import CleanPlan
from pipelines.running.execution import Execution
from pipelines.terminal.console import CommandError
from pipelines.verify.dataset import find_problems
from transforms.dataset.clean_schema import SIDES, split_names, split_of_shard
from transforms.dataset.files import OutputError
from transforms.dataset.reader import open_pairs
from transforms.filter_rules import read_rules
from transforms.presets import load_preset

SPLITS = {"train": 0.6, "val": 0.2, "test": 0.2}
ORIGINALS = 18


@pytest.fixture(scope="module")
def parent(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pairs") / "pairs"
    copies.build(folder, originals=ORIGINALS)
    return folder


def plan(parent, out, *, against=None, **options):
    return CleanPlan(
        folder=parent,
        out=out,
        options=CleanOptions(**options),
        preset=load_preset("stilllife"),
        against=against,
    )


def clean(parent, out, *, workers=1, **options):
    a_unit = 1 if workers > 1 else 1000
    execution = Execution(workers=workers, pictures_a_unit=a_unit)
    return run_clean(plan(parent, out, **options), execution)


def rows(folder, kind="pairs"):
    return [
        row
        for path in sorted(folder.glob(f"{kind}-*.parquet"))
        for row in pq.read_table(path).to_pylist()
    ]


def original_of():
    """Which still life each picture shows, by its key."""
    shown = copies.Copies(ORIGINALS).pictures()
    return {f"p{number}": original for number, (original, _) in enumerate(shown)}


def outputs(folder):
    return {
        path.name: path.read_bytes()
        for path in folder.iterdir()
        if path.is_file() and path.name != "run_summary.json"
    }


@pytest.fixture(scope="module")
def split_set(parent, tmp_path_factory):
    out = tmp_path_factory.mktemp("split") / "out"
    clean(parent, out, splits=SPLITS, seed=3)
    return out


def test_the_result_is_whole_and_all_pairs_are_accounted_for(parent, split_set):
    assert find_problems(split_set).problems == []
    made, before = open_pairs(split_set).manifest, open_pairs(parent).manifest
    crossing = made.counts.rejects["split"]["crosses_splits"]
    assert crossing > 0
    assert made.counts.pairs + crossing == before.counts.pairs
    assert made.counts.sources == before.counts.sources
    assert made.counts.queries == before.counts.queries
    assert made.configuration["clean"]["pairs_before"] == before.counts.pairs


@pytest.mark.parametrize("seed", range(2))
def test_no_picture_nor_a_copy_of_it_stands_in_two_splits(parent, tmp_path, seed):
    clean(parent, tmp_path / "out", splits=SPLITS, seed=seed)
    shown = original_of()
    split_of = {}
    for row in rows(tmp_path / "out"):
        for side in ("source", "target"):
            original = shown[row[f"{side}_key"]]
            assert split_of.setdefault(original, row["split"]) == row["split"]
    assert len(set(split_of.values())) > 1


def test_copies_have_one_group_and_others_another(split_set):
    shown = original_of()
    group_of = {}
    for row in rows(split_set):
        for side in ("source", "target"):
            group_of.setdefault(shown[row[f"{side}_key"]], set()).add(row[f"{side}_group"])
    assert all(len(groups) == 1 for groups in group_of.values())
    assert len({group for groups in group_of.values() for group in groups}) == len(group_of)


def test_two_workers_and_a_run_that_was_cut_off_give_the_same_bytes(
    parent, split_set, tmp_path, monkeypatch
):
    clean(parent, tmp_path / "two", splits=SPLITS, seed=3, workers=2)
    assert outputs(tmp_path / "two") == outputs(split_set)

    def cut_off(*words, **more):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(cleaning_job, "decide", cut_off)
        with pytest.raises(KeyboardInterrupt):
            clean(parent, tmp_path / "cut", splits=SPLITS, seed=3)
    measured = [path.stat() for path in (tmp_path / "cut").rglob("measured/*")]
    assert measured
    assert not (tmp_path / "cut" / "COMPLETED").exists()
    clean(parent, tmp_path / "cut", splits=SPLITS, seed=3)
    assert outputs(tmp_path / "cut") == outputs(split_set)
    assert not (tmp_path / "cut" / cleaning_job.WORK_FOLDER).exists()


def test_a_finished_one_is_left_alone(parent, split_set, monkeypatch):
    monkeypatch.setattr(cleaning_job, "run_job", None)
    assert clean(parent, split_set, splits=SPLITS, seed=3).counts.pairs == len(rows(split_set))


def test_it_loads_in_datasets_with_its_splits(split_set, monkeypatch, tmp_path):
    import datasets

    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    datasets.disable_progress_bars()
    loaded = datasets.load_dataset(str(split_set), cache_dir=str(tmp_path / "cache"))
    by_split = {
        name: [row["key"] for row in rows(split_set) if row["split"] == name] for name in SPLITS
    }
    assert {name: split["key"] for name, split in loaded.items()} == {
        name: keys for name, keys in by_split.items() if keys
    }
    assert len(loaded) > 1
    assert loaded["train"][0]["input_image"].size == (64, 64)
    rejects = datasets.load_dataset(str(split_set), "rejects", cache_dir=str(tmp_path / "cache"))
    assert sum(map(len, rejects.values())) == len(rows(split_set, "rejects"))


def test_shards_say_which_split_they_are_of(split_set):
    manifest = open_pairs(split_set).manifest
    names = split_names(manifest.configuration)
    assert names == tuple(SPLITS)
    for shard in manifest.shards:
        table = pq.read_table(split_set / shard.files[0].name)
        assert set(table["split"].to_pylist()) <= {split_of_shard(shard.number, shard.of, names)}


def test_other_splits_are_not_given_to_a_set_that_has_some(split_set, tmp_path):
    with pytest.raises(CommandError, match="has splits: give the data set that it was made of"):
        clean(split_set, tmp_path / "again", splits={"a": 0.5, "b": 0.5})


def test_decontaminating_drops_copies_of_test_pictures_and_keeps_splits(split_set, tmp_path):
    shown = copies.Copies(ORIGINALS).pictures()
    tests = copies.PictureSource(tuple(copies.recompress(shown[n][1], 80) for n in (3, 4, 5)))
    made = run_clean(plan(split_set, tmp_path / "out", against=tests), Execution())
    assert find_problems(tmp_path / "out").problems == []
    left = rows(tmp_path / "out")
    by_key = original_of()
    used = {by_key[row[f"{side}_key"]] for row in left for side in ("source", "target")}
    assert used.isdisjoint({3, 4, 5})
    before = rows(split_set)
    touched = [
        row for row in before if {by_key[row["source_key"]], by_key[row["target_key"]]} & {3, 4, 5}
    ]
    assert len(left) == len(before) - len(touched)
    assert sum(made.counts.rejects["decontaminate"].values()) == len(touched) > 0
    splits = {row["key"]: row["split"] for row in before}
    assert all(splits[row["key"]] == row["split"] for row in left)
    named = {
        row["detail"].rsplit(" ", 1)[1]
        for row in rows(tmp_path / "out", "rejects")
        if row["stage"] == "decontaminate"
    }
    assert named <= {"test-0", "test-1", "test-2"}


def test_a_test_set_that_has_nothing_in_common_drops_nothing(parent, tmp_path):
    other = copies.Copies(40, seed=9).pictures()[30:]
    tests = copies.PictureSource(tuple(data for _, data in other[:4]))
    made = run_clean(plan(parent, tmp_path / "out", against=tests), Execution())
    assert made.counts.pairs == open_pairs(parent).manifest.counts.pairs
    assert {row["key"] for row in rows(tmp_path / "out")} == {row["key"] for row in rows(parent)}


def test_filters_keep_every_value_and_reject_with_value_and_rule(parent, tmp_path):
    rules = read_rules(["licence=CC0", "sharpness=>=1"])
    clean(parent, tmp_path / "out", filters=rules)
    assert find_problems(tmp_path / "out").problems == []
    left, dropped = rows(tmp_path / "out"), rows(tmp_path / "out", "rejects")
    assert {row["target_licence"] for row in left} == {"CC0"}
    filtered = [row for row in dropped if row["stage"] == "filter"]
    assert {row["reason"] for row in filtered} == {"licence_filtered"}
    assert filtered[0]["detail"] == "target: licence must be CC0, got CC-BY-4.0"
    for row in (*left, *filtered):
        assert row["source_sharpness"] > 0
        assert row["target_width"] == row["target_height"] == 64
        assert 0 <= row["target_flat"] <= 1
        assert row["source_aesthetic"] is None
    croissant = json.loads((tmp_path / "out" / "croissant.json").read_text())
    card = (tmp_path / "out" / "README.md").read_text()
    for text in (croissant["license"], card):
        assert "All are of this list: CC0." in text


@pytest.mark.parametrize(
    ("rule", "reason", "detail"),
    [
        ("language=en,de", "language_filtered", "language must be en,de, got nothing known"),
        ("similarity=>=0.3", "similarity_filtered", "similarity must be >=0.3, got 0.28"),
    ],
)
def test_what_collections_say_of_texts_is_filtered_by(parent, tmp_path, rule, reason, detail):
    clean(parent, tmp_path / "out", filters=read_rules([rule]))
    assert find_problems(tmp_path / "out").problems == []
    left, dropped = rows(tmp_path / "out"), rows(tmp_path / "out", "rejects")
    [(name, passing)] = read_rules([rule]).items()
    for row in left:
        assert passing.passes(row[f"source_{name}"])
        assert passing.passes(row[f"target_{name}"])
    filtered = [row for row in dropped if row["stage"] == "filter"]
    assert {row["reason"] for row in filtered} == {reason}
    assert {f"{side}: {detail}" for side in SIDES} <= {row["detail"] for row in filtered}
    assert len(left) + len(filtered) == len(rows(parent))
    assert left


@pytest.mark.parametrize("version", [2, 3])
def test_of_an_earlier_data_set_nobody_knows_languages(tmp_path, version):
    earlier = tmp_path / "earlier"
    copies.build(earlier, originals=6, shards=1)
    sealed.age(earlier, version)
    for number, (rule, stay) in enumerate((("language=!en?", True), ("language=!en", False))):
        out = tmp_path / f"out{number}"
        made = clean(earlier, out, filters=read_rules([rule]))
        assert find_problems(out).problems == []
        assert made.counts.pairs == len(rows(out)) == stay * len(rows(earlier))
        assert {row["target_language"] for row in rows(out)} <= {None}


def test_a_cap_needs_no_network(parent, tmp_path):
    wanted = CleanPlan(
        folder=parent, out=tmp_path / "out", options=CleanOptions(caps={"source": 1})
    )
    made = run_clean(wanted, Execution())
    assert find_problems(tmp_path / "out").problems == []
    assert made.counts.pairs == made.counts.sources_with_pairs
    assert made.counts.rejects["balance"]["source_cap"] > 0
    assert "dropped in balance" in (tmp_path / "out" / "README.md").read_text()


def test_what_looks_at_pictures_needs_a_preset(parent, tmp_path):
    wanted = CleanPlan(folder=parent, out=tmp_path / "out", options=CleanOptions(splits=SPLITS))
    with pytest.raises(CommandError, match="a preset is needed"):
        run_clean(wanted, Execution())


def test_cleaning_twice_says_both(parent, tmp_path):
    clean(parent, tmp_path / "one", filters=read_rules(["licence=CC0,CC-BY-4.0"]))
    clean(tmp_path / "one", tmp_path / "two", caps={"exchange": 2})
    assert find_problems(tmp_path / "two").problems == []
    card = (tmp_path / "two" / "README.md").read_text()
    assert "Filter `licence`: `CC0,CC-BY-4.0`." in card
    assert "At most 2 pairs of one exchange." in card


def test_a_set_that_is_not_finished_is_refused(parent, tmp_path):
    unfinished = tmp_path / "unfinished"
    copies.build(unfinished, originals=3, shards=1)
    (unfinished / "COMPLETED").unlink()
    with pytest.raises(OutputError, match="COMPLETED is missing"):
        clean(unfinished, tmp_path / "out", caps={"source": 1})


def test_a_folder_with_another_set_is_not_overwritten_unasked(parent, split_set, tmp_path):
    with pytest.raises(OutputError, match="choose another folder or overwrite it"):
        clean(parent, split_set, splits=SPLITS, seed=4)
