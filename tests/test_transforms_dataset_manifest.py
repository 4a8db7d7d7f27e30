import dataclasses
import errno
import json
import re

import pytest
from fakes import records
from fakes.disk import refused_files
from fakes.folders import contents

from transforms.dataset import folder as output
from transforms.dataset import manifest as module
from transforms.dataset.files import OutputError, hash_file
from transforms.dataset.shards import receipt_file


def names(folder):
    return {path.name for path in folder.iterdir()}


def test_the_hash_is_of_canonical_json():
    one = module.hash_configuration({"a": 1, "b": {"c": [1.5, None, "é"]}})
    assert one == module.hash_configuration({"b": {"c": [1.5, None, "é"]}, "a": 1})
    assert one != module.hash_configuration({"b": {"c": [1.5, None, "e"]}, "a": 1})
    assert len(one) == 64
    with pytest.raises(ValueError, match="not JSON compliant"):
        module.hash_configuration({"a": float("nan")})


def test_a_manifest_is_read_back(small_dataset):
    made = module.load_manifest(small_dataset)
    assert made.problems() == []
    assert json.loads((small_dataset / "manifest.json").read_text()) == made.as_dict() | {
        "shards": json.loads(json.dumps([shard.as_dict() for shard in made.shards]))
    }
    assert made == module.Manifest.from_dict(made.as_dict())
    assert made.configuration == records.CONFIGURATION


def test_totals_are_the_sums_of_the_shards_and_add_up(small_dataset):
    counts = module.load_manifest(small_dataset).counts
    assert counts.sources == 17
    assert counts.sources == counts.sources_with_pairs + counts.sources_without_pairs
    assert counts.queries == counts.pairs + counts.query_rejects
    assert counts.rejected == counts.source_rejects + counts.query_rejects
    assert counts.rejects == {"read": {"not_an_image": 3}, "select": {"too_far": 3}}


def test_the_whole_folder_is_as_documented(small_dataset):
    files = {f"{kind}-{n:05d}-of-00002.parquet" for n in (0, 1) for kind in PAIR_KINDS}
    receipts = {f"shard-{n:05d}-of-00002.json" for n in (0, 1)}
    documents = {"manifest.json", "README.md", "croissant.json", "COMPLETED"}
    assert names(small_dataset) == files | receipts | documents
    assert (small_dataset / "COMPLETED").read_bytes() == b""


PAIR_KINDS = ("pairs", "rejects", "candidates")


def test_the_summary_of_a_run_changes_nothing_else(small_dataset):
    before = contents(small_dataset)
    output.write_run_summary(small_dataset, {"seconds": {"caption": 1.5}})
    summary = json.loads((small_dataset / "run_summary.json").read_text())
    assert summary.pop("sha256") == output.summary_hash(summary)
    assert summary.pop("manifest_sha256") == hash_file(small_dataset / "manifest.json")
    assert summary == {"seconds": {"caption": 1.5}}
    assert {n: h for n, h in contents(small_dataset).items() if n != "run_summary.json"} == before


def by_position(shard, position):
    """Keys that the pictures of two shards share."""
    return f"key-{position}"


def test_a_key_in_two_shards_is_refused(small_dataset, tmp_path):
    with pytest.raises(OutputError) as caught:
        records.build(tmp_path / "pictures", (3, 5), key_of=by_position)
    found = str(caught.value).partition(" cannot be finished: ")
    assert found[0] == str(tmp_path / "pictures")
    assert re.fullmatch(
        "keys of sources must be unique, key-[012] is in shard s0 and in shard s1", found[2]
    )
    assert not {"COMPLETED", "manifest.json"} & names(tmp_path / "pictures")
    with pytest.raises(OutputError, match="must be unique"):
        records.build(small_dataset, (3, 5), key_of=by_position)
    assert not output.is_completed(small_dataset)


def test_a_key_of_a_pair_and_of_a_reject_is_refused(tmp_path):
    # Of these pictures the fourth and the fifth are rejects, all others have a pair.
    keys = {("s0", 1): "same", ("s1", 4): "same"}

    def key_of(shard, position):
        return keys.get((shard, position), f"{shard}-{position}")

    with pytest.raises(OutputError, match="unique, same is in shard s0 and in shard s1"):
        records.build(tmp_path, (5, 5), key_of=key_of)


DOCUMENTS = ("manifest.json", "README.md", "croissant.json", "COMPLETED")


@pytest.mark.parametrize("number", range(4))
def test_completed_is_the_last_file_and_gone_before_anything_changes(small_dataset, number):
    made = module.load_manifest(small_dataset)
    before = {name: (small_dataset / name).stat().st_ino for name in DOCUMENTS[:-1]}
    with refused_files(DOCUMENTS[number], errno.ENOSPC), pytest.raises(OutputError):
        output.write_manifest(small_dataset, made)
    assert not (small_dataset / "COMPLETED").exists()
    after = {name: (small_dataset / name).stat().st_ino for name in DOCUMENTS[:-1]}
    changed = {name for name in before if before[name] != after[name]}
    assert changed == set(DOCUMENTS[:number])
    output.write_manifest(small_dataset, made)
    assert output.is_completed(small_dataset)


def test_stale_shards_of_another_count_are_removed(small_dataset):
    stale = {"pairs-00004-of-00005.parquet", "shard-00004-of-00005.json", ".x.01234567.tmp"}
    for name in stale:
        (small_dataset / name).write_bytes(b"")
    (small_dataset / "notes.txt").write_text("a person's")
    output.write_manifest(small_dataset, module.load_manifest(small_dataset))
    assert not names(small_dataset) & stale
    assert "notes.txt" in names(small_dataset)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"number": 0}, r"0 to N-1 of N, got \[0, 0\] of \[2\]"),
        ({"of": 3}, r"got \[0, 1\] of \[2, 3\]"),
        ({"configuration_hash": "f00"}, "shard 1: made with configuration f00"),
        ({"files": ()}, "shard 1: None rows of pairs in the files"),
    ],
)
def test_a_manifest_that_contradicts_itself_is_not_written(small_dataset, change, message):
    made = module.load_manifest(small_dataset)
    first, second = made.shards
    broken = dataclasses.replace(made, shards=(first, dataclasses.replace(second, **change)))
    with pytest.raises(OutputError, match=message):
        output.write_manifest(small_dataset, broken)


def test_sums_that_do_not_come_out_are_refused(small_dataset):
    made = module.load_manifest(small_dataset)
    first, second = made.shards
    counts = dataclasses.replace(second.counts, sources=99)
    broken = dataclasses.replace(made, shards=(first, dataclasses.replace(second, counts=counts)))
    with pytest.raises(OutputError, match="do not add up: 99 sources, but 7 with and without"):
        output.write_manifest(small_dataset, broken)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema_version": 5}, "schema version must be 1, 2, 3 or 4, got 5"),
        ({"configuration_hash": "0"}, "configuration_hash does not follow"),
        ({"counts": {}}, "counts.sources is missing"),
        ({"seed": None}, "seed must be a whole number >= 0, got None"),
        ({"shards": [{}]}, r"shards\[0\].number is missing"),
        ({"shards": 5}, "shards must be a list, got 5"),
    ],
)
def test_a_changed_manifest_is_refused(small_dataset, change, message):
    path = small_dataset / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(OutputError, match=message):
        module.load_manifest(small_dataset)


def test_a_missing_manifest_is_one_line(tmp_path):
    with pytest.raises(OutputError, match=r"cannot read .*manifest\.json: No such file"):
        module.load_manifest(tmp_path)


OTHER = module.hash_configuration({"seed": 4})


def test_another_configuration_is_refused_unless_overwritten(small_dataset):
    before = contents(small_dataset)
    with pytest.raises(OutputError, match="choose another folder or overwrite it"):
        output.prepare_output(small_dataset, OTHER)
    assert contents(small_dataset) == before
    (small_dataset / "notes.txt").write_text("a person's")
    output.prepare_output(small_dataset, OTHER, overwrite=True)
    assert names(small_dataset) == {"notes.txt"}


def test_shards_of_an_unfinished_build_of_another_configuration_are_refused(small_dataset):
    for name in ("COMPLETED", "manifest.json"):
        (small_dataset / name).unlink()
    with pytest.raises(OutputError, match="choose another folder"):
        output.prepare_output(small_dataset, OTHER)


def test_the_same_configuration_goes_on_where_it_stopped(small_dataset):
    (small_dataset / "COMPLETED").unlink()
    (small_dataset / "manifest.json").unlink()
    (small_dataset / receipt_file(records.output_shards(10, 7)[1])).unlink()
    (small_dataset / ".pairs-00001-of-00002.parquet.0123abcd.tmp").write_bytes(b"half")
    before = contents(small_dataset)
    output.prepare_output(small_dataset, records.HASH)
    assert {n: h for n, h in before.items() if not n.endswith(".tmp")} == contents(small_dataset)


def test_a_folder_whose_name_is_taken_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"cannot write .*file: File exists"):
        output.prepare_output(tmp_path / "file", OTHER)


def test_versions_name_what_the_bytes_depend_on():
    versions = module.software_versions()
    assert {"python", "pyarrow", "numpy", "torch"} <= set(versions)
    assert versions == module.software_versions()
