import argparse
import dataclasses
import json

import numpy as np
import pyarrow.parquet as pq
import pytest
from fakes import records

from indexes.folder_lock import FolderLockedError, lock_folder
from pipelines.rethreshold import command as module
from pipelines.terminal.console import CommandError
from pipelines.terminal.thresholds import change_thresholds
from transforms.dataset.checks import check_folder
from transforms.dataset.files import OutputError, hash_file
from transforms.dataset.folder import prepare_output, write_manifest
from transforms.dataset.manifest import hash_configuration, load_manifest
from transforms.dataset.shard_contents import tabulate
from transforms.dataset.shards import OutputShard, shard_file
from transforms.protocols import SourceError
from transforms.record import Batch, Scores, reject_query, reject_source
from transforms.select import SelectionThresholds, select_batch
from transforms.write import write_shard

THRESHOLDS = SelectionThresholds(structure=0.5)
CONFIGURATION = {"edits": 1, "seed": 3, "thresholds": dataclasses.asdict(THRESHOLDS)}
DIGEST = hash_configuration(CONFIGURATION)
SOURCES = 450  # the pairs of half of them are in several row groups
SHARDS = (OutputShard(0, 2, "s0", SOURCES), OutputShard(1, 2, "s1", 5))
GONE = 11  # its target is gone when the set is written
SPOILT = 12  # the segmenter failed on it


def scored(number, rank, structure):
    scores = Scores(retrieval=0.9, rank=rank, structure=structure, new_word=1, old_word=0, rest=1)
    return dataclasses.replace(records.candidate(number), scores=scores)


def queries(shard):
    """Two edits a picture; the best structure of the first goes from 0 to 1 with the position."""
    for position in range(1, shard.sources):
        best = round(position / shard.sources, 3)
        for number in (0, 1):
            offered = (scored(1000 + position, 0, best), scored(2000 + position, 1, best / 2))
            yield records.query(
                position, number, shard.name, offered if number == 0 else offered[1:]
            )


def make_shard(folder, shard):
    asked = Batch(shard.name, 0, tuple(queries(shard)))
    chosen = select_batch(asked, THRESHOLDS, edits=1)
    unreadable = reject_source(records.source(0, shard.name), stage="read", reason="empty_file")
    rejects = [*chosen.rejects, unreadable]
    examples = []
    for example in chosen.records:
        if example.query.source.position == SOURCES - SPOILT:
            rejects.append(reject_query(example.query, stage="segment", reason="model_failed"))
            continue
        examples.append(
            dataclasses.replace(
                example, source_mask=records.mask(0.5), target_mask=records.mask(0.25)
            )
        )
    return write_shard(
        folder,
        shard,
        [Batch(shard.name, 0, tuple(examples), tuple(rejects))],
        considered=[tabulate(asked.records)],
        open_source=records.FakeSource().open,
        open_target=records.FakeSource(gone=(f"picture-{1000 + SOURCES - GONE}",)).open,
        configuration_hash=DIGEST,
    )


@pytest.fixture(scope="module")
def parent(tmp_path_factory):
    folder = tmp_path_factory.mktemp("parent") / "pairs"
    prepare_output(folder, DIGEST)
    receipts = [make_shard(folder, shard) for shard in SHARDS]
    write_manifest(folder, records.manifest(receipts, CONFIGURATION))
    return folder


def open_fake(spec):
    assert spec == {"kind": "fake"}
    return records.FakeSource()


def open_gone(spec):
    raise SourceError("the pictures are gone")


def run(folder, out, *flags, open_source=open_fake, **loaders):
    parser = argparse.ArgumentParser()
    module.add_parser(parser.add_subparsers())
    args = parser.parse_args(["rethreshold", str(folder), "--out", str(out), *flags])
    return args.run(args, open_source=open_source, **loaders)


def rows(folder, kind="pairs"):
    return [
        row
        for shard in SHARDS
        for row in pq.read_table(folder / shard_file(kind, shard)).to_pylist()
    ]


def by_key(folder):
    return {row["key"]: row for row in rows(folder)}


def test_equal_thresholds_give_the_same_bytes(parent, tmp_path, capsys):
    assert run(parent, tmp_path / "out", "--json", open_source=open_gone) == 0
    for shard in SHARDS:
        for kind in ("pairs", "rejects", "candidates"):
            name = shard_file(kind, shard)
            assert hash_file(tmp_path / "out" / name) == hash_file(parent / name), name
    assert pq.read_metadata(parent / shard_file("pairs", SHARDS[0])).num_row_groups > 2
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert last["pairs"] == last["pairs_before"] == len(rows(parent)) > 25
    stages = {row["stage"] for row in rows(parent, "rejects")}
    assert stages == {"read", "select", "segment", "write"}


def test_the_new_set_is_whole_and_names_its_parent(parent, tmp_path):
    out = tmp_path / "out"
    run(parent, out, "--threshold", "structure=0.7")
    assert check_folder(out).problems == []
    made, old = load_manifest(out), load_manifest(parent)
    assert made.parent == {
        "configuration_hash": old.configuration_hash,
        "manifest_sha256": hash_file(parent / "manifest.json"),
    }
    assert made.configuration["thresholds"]["structure"] == 0.7
    assert made.configuration_hash != old.configuration_hash
    assert made.counts.sources == old.counts.sources
    assert made.counts.queries == old.counts.queries


def test_tighter_thresholds_give_a_subset(parent, tmp_path):
    run(parent, tmp_path / "out", "--threshold", "structure=0.7", open_source=open_gone)
    before, after = by_key(parent), by_key(tmp_path / "out")
    assert 10 < len(after) < len(before)
    assert all(before[key] == row for key, row in after.items())
    assert all(row["score_structure"] >= 0.7 for row in after.values())
    assert {k for k, row in before.items() if row["score_structure"] >= 0.7} == set(after)


def test_looser_thresholds_admit_new_pairs_with_pictures_and_no_masks(parent, tmp_path):
    out = tmp_path / "out"
    opened = []

    def open_source(spec):
        opened.append(spec)
        return open_fake(spec)

    run(parent, out, "--threshold", "structure=none", open_source=open_source)
    before, after = by_key(parent), by_key(out)
    new = set(after) - set(before)
    assert set(before) < set(after)
    assert all(before[key] == after[key] for key in before)
    assert len(new) > 20
    for key in new:
        row = after[key]
        assert row["source_mask"] is None
        assert row["mask_status"] == "not_computed"
        assert row["input_image"]["bytes"] == records.picture(row["source_position"])
        assert row["edited_image"]["bytes"] == records.picture(1000 + row["source_position"])
    assert {row["mask_status"] for row in before.values()} == {"computed"}
    assert opened == [{"kind": "fake"}] * 2
    assert check_folder(out).problems == []


def test_what_failed_after_select_fails_again(parent, tmp_path):
    run(parent, tmp_path / "out", "--threshold", "structure=0")
    kept = [row for row in rows(tmp_path / "out", "rejects") if row["stage"] != "select"]
    assert kept == [row for row in rows(parent, "rejects") if row["stage"] != "select"]
    assert {row["reason"] for row in kept} == {"empty_file", "model_failed", "picture_gone"}


def test_the_limit_of_edits_of_a_source_holds(parent, tmp_path):
    run(parent, tmp_path / "out", "--threshold", "structure=0", "rest=1", "--threshold", "rest=0.9")
    assert load_manifest(tmp_path / "out").configuration["thresholds"]["rest"] == 0.9
    numbers = {row["number"] for row in rows(tmp_path / "out")}
    assert numbers == {0}
    reasons = {row["reason"] for row in rows(tmp_path / "out", "rejects")}
    assert "enough_edits" in reasons


class FakeSegmenter:
    def relevance(self, images, phrases):
        return np.full((len(images), 8, 8), 0.9, np.float32)


def test_a_segmenter_makes_the_missing_masks_alone(parent, tmp_path):
    run(parent, tmp_path / "bare", "--threshold", "structure=0.3")
    out = tmp_path / "out"
    run(tmp_path / "bare", out, "--segment", "fake", load_segmenter=lambda preset: FakeSegmenter())
    before, after = by_key(parent), by_key(out)
    assert set(after) == set(by_key(tmp_path / "bare")) > set(before)
    assert {row["mask_status"] for row in after.values()} == {"computed"}
    assert all(after[key] == row for key, row in before.items())
    assert {after[key]["source_mask_area"] for key in set(after) - set(before)} == {1.0}
    assert check_folder(out).problems == []
    assert load_manifest(out).configuration["rethreshold"]["segmenter"] == "fake"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("structure", "threshold must be NAME=VALUE with a name of require_new_word, "),
        ("structur=1", "threshold must be NAME=VALUE"),
        ("structure=2", r"structure must be in \[0, 1\], got 2.0"),
        ("structure=high", "could not convert string to float: 'high'"),
        ("structure=nan", "structure must be in"),
        ("require_new_word=1", "require_new_word must be true or false, got 1"),
        ("order=best", "order must be 'quality' or 'retrieval', got 'best'"),
    ],
)
def test_a_bad_threshold_is_one_line_and_writes_nothing(parent, tmp_path, change, message):
    with pytest.raises(CommandError, match=message) as caught:
        run(parent, tmp_path / "out", "--threshold", change)
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_thresholds_are_changed_by_name():
    stored = dataclasses.asdict(THRESHOLDS)
    assert change_thresholds(stored, []) == THRESHOLDS
    several = change_thresholds(stored, ["rest=0.5", "structure=0.25"])
    assert (several.rest, several.structure) == (0.5, 0.25)
    changes = ["structure=none", "forbid_old_word=false", "order=retrieval", "rest=0.25"]
    assert change_thresholds(stored, changes) == SelectionThresholds(
        structure=None, forbid_old_word=False, order="retrieval", rest=0.25
    )


def test_the_output_must_be_another_folder(parent):
    with pytest.raises(CommandError, match="--out must be another folder"):
        run(parent, parent)


def test_an_unfinished_set_is_refused(parent, tmp_path):
    with pytest.raises(OutputError, match=r"cannot read .*manifest\.json"):
        run(tmp_path, tmp_path / "out")
    folder = tmp_path / "other"
    records.build(folder, (3,))
    with pytest.raises(OutputError, match=r"configuration in manifest\.json must have edits"):
        run(folder, tmp_path / "out")
    (folder / "COMPLETED").unlink()
    with pytest.raises(OutputError, match="must hold a finished data set"):
        run(folder, tmp_path / "out")


def test_a_set_with_a_shard_missing_is_refused(tmp_path):
    folder = tmp_path / "pairs"
    prepare_output(folder, DIGEST)
    receipts = [make_shard(folder, shard) for shard in SHARDS]
    write_manifest(folder, records.manifest(receipts, CONFIGURATION))
    (folder / shard_file("candidates", SHARDS[1])).unlink()
    with pytest.raises(OutputError, match="shard 1 must be whole, see verify"):
        run(folder, tmp_path / "out")
    assert not (tmp_path / "out" / "COMPLETED").exists()


def test_another_sets_output_is_refused_unless_overwritten(parent, tmp_path):
    out = tmp_path / "out"
    run(parent, out, "--threshold", "structure=0.7")
    with pytest.raises(OutputError, match="choose another folder or overwrite it"):
        run(parent, out, "--threshold", "structure=0.8")
    assert run(parent, out, "--threshold", "structure=0.8", "--overwrite") == 0
    assert check_folder(out).problems == []


def test_sources_that_cannot_be_opened_are_one_error(parent, tmp_path):
    with pytest.raises(SourceError, match="the pictures are gone"):
        run(parent, tmp_path / "out", "--threshold", "structure=0", open_source=open_gone)
    tight = ("--threshold", "structure=0.7")
    assert run(parent, tmp_path / "tight", *tight, open_source=open_gone) == 0


def test_a_folder_that_another_job_writes_to_is_left(parent, tmp_path):
    with lock_folder(tmp_path / "out", "another job"), pytest.raises(FolderLockedError) as caught:
        run(parent, tmp_path / "out")
    assert " is being written by another job (process " in str(caught.value)
    assert not (tmp_path / "out").exists()
