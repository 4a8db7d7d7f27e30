"""Index, build and what comes after it with sources and outputs on stores: the bytes as here."""

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
from fakes.folders import contents
from fakes.img2dataset import write_captioned_parquet, write_captioned_tar
from fakes.object_store import new_folder, stored_contents, upload_folder

from indexes.folder import open_index
from pipelines.sources import open_source
from transforms.dataset.reader import open_pairs

SUMMARY = ("run_summary.json",)


@pytest.fixture(scope="module")
def local_pairs(tmp_path_factory):
    """A data set of the shared collection and index, built here."""
    folder = tmp_path_factory.mktemp("local") / "pairs"
    outcome = build_command(pool_folder(), folder)
    assert outcome.code == 0, outcome.err
    return folder


def test_an_index_is_the_same_there(stored_folder):
    outcome = index_command(pool_folder(), stored_folder / "index")
    assert outcome.code == 0, outcome.err
    assert "without locks" in outcome.err
    assert stored_contents(stored_folder / "index") == contents(index_folder())
    assert verify(stored_folder / "index").counts["ok"]
    again = index_command(pool_folder(), stored_folder / "index")
    assert again.counts["parts_skipped"] == again.counts["parts"]
    index, here = open_index(str(stored_folder / "index")), open_index(index_folder())
    assert (len(index), index.identity) == (len(here), here.identity)
    assert (index.embeddings([0, 3]) == here.embeddings([0, 3])).all()


def test_pairs_are_the_same_there(stored_folder, local_pairs):
    upload_folder(index_folder(), stored_folder / "index")
    out = stored_folder / "pairs"
    outcome = build_command(pool_folder(), out, index=stored_folder / "index")
    assert outcome.code == 0, outcome.err
    assert stored_contents(out, leave_out=SUMMARY) == contents_but_summary(local_pairs)
    assert verify(out).counts["ok"]
    assert (
        build_command(pool_folder(), out, index=stored_folder / "index").counts["shards_skipped"]
        == outcome.counts["shards"]
    )
    assert [pair.key for pair in open_pairs(str(out))] == [p.key for p in open_pairs(local_pairs)]


RUNNER = ("--runner", "FnApiRunner")


def test_jobs_on_a_runner_read_and_write_there(stored_folder, local_pairs):
    pictures = upload_folder(pool_folder(), stored_folder / "pictures")
    outcome = index_command(pictures, stored_folder / "index", *RUNNER)
    assert outcome.code == 0, outcome.err
    assert verify(stored_folder / "index").counts["ok"]
    known = contents(index_folder())
    made = what_is_made(stored_folder / "index")
    assert made.keys() == known.keys()
    for name in ("image.index", "img_emb/img_emb_00000.npy", "structure/structure_00000.npy"):
        assert made[name] == known[name]
    out = stored_folder / "pairs"
    outcome = build_command(pool_folder(), out, *RUNNER)
    assert outcome.code == 0, outcome.err
    assert what_is_made(out) == contents_but_summary(local_pairs)
    assert verify(out).counts["ok"]
    kept = {
        path.name.partition("-")[0] for path in (stored_folder / "index" / ".pairloom").iterdir()
    }
    assert kept == {"turn.json", "plan"}
    again = build_command(pool_folder(), out, *RUNNER)
    assert again.counts["shards_skipped"] == again.counts["shards"]


def what_is_made(folder):
    """The files there without those of the run."""
    found = stored_contents(folder, leave_out=SUMMARY)
    return {name: data for name, data in found.items() if not name.startswith(".pairloom/")}


def contents_but_summary(folder):
    return {name: data for name, data in contents(folder).items() if name not in SUMMARY}


def test_other_commands_read_and_write_there(stored_folder, local_pairs, tmp_path):
    pairs = upload_folder(local_pairs, stored_folder / "pairs")
    report = run("report", pairs, "--json")
    assert report.code == 0, report.err
    assert (pairs / "report.html").read_text().startswith("<!doctype html>")
    again = ("--threshold", "structure=none", "--json")
    for folder, out in ((pairs, stored_folder / "again"), (local_pairs, tmp_path / "again")):
        outcome = run("rethreshold", folder, "--out", out, *again)
        assert outcome.code == 0, outcome.err
    assert stored_contents(stored_folder / "again") == contents(tmp_path / "again")


def test_a_data_set_there_is_edited_into_a_folder_there(stored_folder, told_world, tmp_path):
    pairs = upload_folder(told_world / "told", stored_folder / "pairs")
    for folder, out in (
        (pairs, stored_folder / "edits"),
        (told_world / "told", tmp_path / "edits"),
    ):
        outcome = run("edit-images", folder, "--out", out, "--editor", "copy")
        assert outcome.code == 0, outcome.err
    assert stored_contents(stored_folder / "edits") == contents(tmp_path / "edits")


def test_a_job_goes_on_where_it_was(stored_folder, local_pairs):
    out = upload_folder(local_pairs, stored_folder / "pairs")
    [receipt] = out.glob("shard-*.json")
    [pairs] = out.glob("pairs-*.parquet")
    untouched = {name: (out / name).stat().st_mtime_ns for name in out.files()}
    (out / "COMPLETED").unlink()
    assert build_command(pool_folder(), out).counts["shards_skipped"] == 1
    assert pairs.stat().st_mtime_ns == untouched[pairs.name]
    receipt.unlink()
    assert build_command(pool_folder(), out).counts["shards_skipped"] == 0
    assert stored_contents(out, leave_out=SUMMARY) == contents_but_summary(local_pairs)


def test_another_job_is_refused_and_may_be_overwritten(stored_folder, tmp_path):
    out = upload_folder(index_folder(), stored_folder / "index")
    other = make_collection(tmp_path / "other", 3)
    assert "holds an index with another source" in told(index_command(other, out))
    assert index_command(other, out, "--overwrite").code == 0
    index_command(other, tmp_path / "index")
    assert stored_contents(out) == contents(tmp_path / "index")


def told(outcome):
    """The last line of a command that failed, where notes may come before it."""
    assert outcome.code != 0
    return outcome.err.splitlines()[-1]


def test_damage_is_found_there(stored_folder, local_pairs):
    index = upload_folder(index_folder(), stored_folder / "index")
    (index / "img_emb" / "img_emb_00000.npy").write_bytes(b"spoilt")
    (index / "stray.npy").write_bytes(b"")
    lines = verify(index).counts["problems"]
    assert any("img_emb_00000.npy must have" in line for line in lines)
    assert "stray.npy is no file of an index" in lines
    assert "is damaged" in told(build_command(pool_folder(), stored_folder / "out", index=index))
    pairs = upload_folder(local_pairs, stored_folder / "pairs")
    [rejects] = pairs.glob("rejects-*.parquet")
    data = rejects.read_bytes()
    rejects.write_bytes(data[:-1] + b"\0")
    assert any("SHA-256 must be" in line for line in verify(pairs).counts["problems"])


def test_folders_of_pictures_are_read_there(stored_folder, tmp_path):
    there = upload_folder(pool_folder(), stored_folder / "pictures")
    assert index_command(there, stored_folder / "index").code == 0
    (tmp_path / "source.yaml").write_text(f"kind: folder\npath: {there}\n")
    assert open_source(str(tmp_path / "source.yaml")) == open_source(str(there))
    outcome = index_command(tmp_path / "source.yaml", tmp_path / "index")
    assert outcome.code == 0
    pictures = ("image.index", "metadata_00000.parquet", "img_emb_00000.npy")
    here = {name: data for name, data in contents(tmp_path / "index").items() if name in pictures}
    known = contents(index_folder())
    assert all(known[name] == data for name, data in here.items())
    stored = stored_contents(stored_folder / "index")
    for name in ("image.index", "img_emb/img_emb_00000.npy", "structure/structure_00000.npy"):
        assert stored[name] == known[name]
    inside = index_command(there, there / "index")
    assert "must lie outside the pictures" in told(inside)


@pytest.mark.parametrize("write", [write_captioned_tar, write_captioned_parquet])
def test_downloads_are_read_there(stored_folder, tmp_path, write):
    name = "00000.tar" if write is write_captioned_tar else "00000.parquet"
    (tmp_path / "pictures").mkdir()
    write(tmp_path / "pictures" / name)
    there = upload_folder(tmp_path / "pictures", stored_folder / "pictures")
    here = open_source(str(tmp_path / "pictures"))
    for place in (there, there / name):
        source = open_source(str(place))
        rows = [row for shard in source.shards() for row in source.read(shard)]
        assert rows == [row for shard in here.shards() for row in here.read(shard)]
        assert [source.open(row.reference) for row in rows] == [row.image for row in rows]
        assert list(source.listing().files) == [name]
    (there / "source.yaml").write_bytes(f"kind: img2dataset\npath: {name}\n".encode())
    assert open_source(str(there / "source.yaml")) == open_source(str(there / name))


def test_several_processes_write_there(s3_store, tmp_path):
    source = tmp_path / "source.yaml"
    source.write_text("{kind: still-life, count: 60, shard_size: 20, told: true}")
    out = new_folder(s3_store) / "index"
    assert index_command(source, out, "--workers", 2).code == 0
    assert index_command(source, tmp_path / "index").code == 0
    assert stored_contents(out) == contents(tmp_path / "index")
    pairs = new_folder(s3_store) / "pairs"
    assert build_command(source, pairs, "--workers", 2, index=out).code == 0
    assert build_command(source, tmp_path / "pairs", index=tmp_path / "index").code == 0
    assert stored_contents(pairs, leave_out=SUMMARY) == contents_but_summary(tmp_path / "pairs")


@pytest.mark.parametrize(
    "source", ["s3://no-such-bucket/pictures", "memory://tests/no-such-folder"]
)
def test_a_source_that_is_not_there_is_told(s3_store, source, tmp_path):
    assert f"{source}: no such folder" in told(index_command(source, tmp_path / "index"))


def test_a_bucket_that_is_not_there_is_told(s3_store):
    said = told(index_command(pool_folder(), "s3://no-such-bucket/index"))
    assert said.startswith("pairloom: error: cannot write s3://no-such-bucket/index/pairloom.json")
    assert "bucket" in said


@pytest.mark.parametrize("words", [("train", "pairs"), ("evaluate", "pairs")])
def test_what_is_not_written_to_stores_says_so(words, tmp_path):
    outcome = run(*words, "--out", "s3://tests/run")
    assert outcome.code == 2
    assert "must be" in outcome.error
