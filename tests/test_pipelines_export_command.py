"""`pairloom export`: every pair in every form, a shard at a time, and what is refused."""

import hashlib
import io
import json
import tarfile

import datasets
import pyarrow.parquet as pq
import pytest
import yaml
from fakes.command_line import run
from fakes.report import write_dataset

from transforms.dataset.reader import open_pairs

FORMATS = ("webdataset", "hub-folder", "instruct-pix2pix")


def instructed(row):
    return {**row, "edit_instruction": f"turn it into {row['target_word']}"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("export") / "pairs"
    return write_dataset(folder, pairs=7, rejects=2, change=instructed)


def files(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def members(path):
    with tarfile.open(path) as archive:
        return {each.name: archive.extractfile(each).read() for each in archive.getmembers()}


def test_webdataset_holds_every_pair(folder, tmp_path):
    outcome = run("export", folder, "--format", "webdataset", "--out", tmp_path / "out", "--json")
    assert outcome.code == 0, outcome.err
    assert outcome.counts["pairs"] == 7
    assert outcome.counts["files"] == 2
    names = [f"pairs-0000{n}-of-00002.tar" for n in range(2)]
    found = {}
    for name in names:
        found |= members(tmp_path / "out" / name)
    pairs = {pair.key: pair for pair in open_pairs(folder)}
    samples = sorted({name.partition(".")[0] for name in found})
    assert len(samples) == 7
    for sample in samples:
        plain = json.loads(found[f"{sample}.json"])
        pair = pairs.pop(plain["key"])
        assert plain["edit_prompt"] == pair.edit_prompt
        assert plain["score_structure"] == pair.scores.structure
        assert found[f"{sample}.txt"].decode() == pair.edit_instruction
        assert found[f"{sample}.input.png"] == pair.row["input_image"]["bytes"]
        assert found[f"{sample}.edited.png"] == pair.row["edited_image"]["bytes"]
        assert found[f"{sample}.input_mask.png"] == pair.row["source_mask"]["bytes"]
        assert "input_image" not in plain
    assert not pairs


def test_webdataset_is_read_by_datasets(folder, tmp_path):
    run("export", folder, "--format", "webdataset", "--out", tmp_path / "out")
    rows = datasets.load_dataset(
        str(tmp_path / "out"), split="train", cache_dir=str(tmp_path / "cache")
    )
    assert len(rows) == 7
    assert rows[0]["input.png"].size == (64, 64)
    assert rows[0]["json"]["edit_prompt"]


def test_the_tar_files_are_a_function_of_the_pairs(folder, tmp_path):
    for name in ("one", "two"):
        run("export", folder, "--format", "webdataset", "--out", tmp_path / name)
    assert files(tmp_path / "one") == files(tmp_path / "two")
    with tarfile.open(tmp_path / "one" / "pairs-00000-of-00002.tar") as archive:
        assert {(each.mtime, each.uid, each.uname, each.mode) for each in archive} == {
            (0, 0, "", 0o644)
        }


def test_a_hub_folder_is_a_data_set_by_itself(folder, tmp_path):
    out = tmp_path / "out"
    run("export", folder, "--format", "hub-folder", "--out", out)
    rows = datasets.load_dataset(str(out), split="train", cache_dir=str(tmp_path / "cache"))
    assert len(rows) == 7
    assert rows[0]["input_image"].size == (64, 64)
    assert rows[0]["edit_instruction"].startswith("turn it into ")
    head = yaml.safe_load((out / "README.md").read_text().split("---")[1])
    assert head["configs"] == [
        {
            "config_name": "default",
            "data_files": [{"split": "train", "path": "data/train-*.parquet"}],
        }
    ]


@pytest.mark.parametrize("words", ["instruction", "prompt"])
def test_instruct_pix2pix_has_its_three_columns(folder, tmp_path, words):
    out = tmp_path / "out"
    run("export", folder, "--format", "instruct-pix2pix", "--out", out, "--words", words)
    rows = datasets.load_dataset(str(out), split="train", cache_dir=str(tmp_path / "cache"))
    assert rows.column_names == ["input_image", "edit_prompt", "edited_image"]
    pairs = open_pairs(folder)
    wanted = [
        pair.edit_instruction if words == "instruction" else pair.edit_prompt for pair in pairs
    ]
    assert rows["edit_prompt"][:] == wanted
    assert list(rows[2]["input_image"].getdata()) == list(pairs[2].source_image.getdata())


@pytest.mark.parametrize("form", FORMATS)
def test_a_broken_off_export_goes_on_and_ends_the_same(folder, tmp_path, form, monkeypatch):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    run("export", folder, "--format", form, "--out", whole)
    run("export", folder, "--format", form, "--out", broken)
    record = json.loads((broken / "export.json").read_text())
    first, second = sorted(record["files"])
    kept = (broken / first).stat().st_mtime_ns
    (broken / second).unlink()
    (broken / second).with_name(f".{(broken / second).name}.0123abcd.tmp").write_bytes(b"half")
    (broken / "README.md").unlink()
    record.pop("files")
    (broken / "export.json").write_text(json.dumps(record))
    outcome = run("export", folder, "--format", form, "--out", broken, "--json")
    assert outcome.counts["kept"] == 1
    assert (broken / first).stat().st_mtime_ns == kept
    assert files(broken) == files(whole)


@pytest.mark.parametrize("form", FORMATS)
def test_the_record_says_what_the_files_are(folder, tmp_path, form):
    run("export", folder, "--format", form, "--out", tmp_path / "out")
    record = json.loads((tmp_path / "out" / "export.json").read_text())
    assert record["format"] == form
    assert (
        record["manifest_sha256"]
        == hashlib.sha256((folder / "manifest.json").read_bytes()).hexdigest()
    )
    assert sum(each["pairs"] for each in record["files"].values()) == 7
    for name, said in record["files"].items():
        data = (tmp_path / "out" / name).read_bytes()
        assert said["bytes"] == len(data)
        assert said["sha256"] == hashlib.sha256(data).hexdigest()


def test_another_export_is_not_written_over(folder, tmp_path):
    out = tmp_path / "out"
    run("export", folder, "--format", "webdataset", "--out", out)
    before = files(out)
    outcome = run("export", folder, "--format", "hub-folder", "--out", out)
    assert "holds another export (webdataset, of manifest" in outcome.error
    assert files(out) == before


def test_a_folder_with_something_else_is_refused(folder, tmp_path):
    (tmp_path / "thesis.tex").write_text("my only copy")
    outcome = run("export", folder, "--format", "webdataset", "--out", tmp_path)
    assert "--out must be empty or an export begun before" in outcome.error
    assert (tmp_path / "thesis.tex").read_text() == "my only copy"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--push", "nobody"], "--push must be OWNER/NAME, got nobody"),
        (["--push", "a/b/c"], "--push must be OWNER/NAME"),
        (["--push", "../x"], "--push must be OWNER/NAME"),
        (["--private"], "--private goes with --push"),
        (["--format", "zip"], "invalid choice: 'zip'"),
    ],
)
def test_what_is_asked_for_wrongly(folder, tmp_path, words, message):
    given = ("export", folder, "--format", "webdataset", "--out", tmp_path / "out", *words)
    outcome = run(*given)
    assert message in outcome.error
    assert outcome.code == 2
    assert not (tmp_path / "out").exists()


def test_the_export_lies_outside_the_data_set(folder):
    outcome = run("export", folder, "--format", "webdataset", "--out", folder / "tars")
    assert "--out must lie outside" in outcome.error
    assert not (folder / "tars").exists()


def test_pairs_without_an_instruction_are_told(tmp_path):
    folder = write_dataset(tmp_path / "pairs", pairs=3, rejects=1)
    given = ("export", folder, "--format", "instruct-pix2pix", "--out", tmp_path / "out")
    assert "has no edit_instruction: pairloom rethreshold makes it" in run(*given).error
    assert run(*given[:-1], tmp_path / "other", "--words", "prompt").code == 0


def test_an_empty_data_set_is_an_empty_export(tmp_path):
    folder = write_dataset(tmp_path / "pairs", pairs=0, rejects=2)
    outcome = run("export", folder, "--format", "instruct-pix2pix", "--out", tmp_path / "out")
    assert outcome.code == 0
    assert "has no pair, so that the export has none" in outcome.err
    table = pq.read_table(
        io.BytesIO((tmp_path / "out/data/train-00000-of-00002.parquet").read_bytes())
    )
    assert table.num_rows == 0
