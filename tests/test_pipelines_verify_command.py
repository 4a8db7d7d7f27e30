import argparse
import json

import pytest
from fakes import records, sealed

from pairloom.__main__ import main
from pipelines.terminal.console import CommandError
from pipelines.verify import command as verify
from transforms.dataset import checks, files
from transforms.dataset.rows import pair_to_row
from transforms.dataset.shard_contents import tabulate
from transforms.write import write_shard

PAIRS = "pairs-00000-of-00003.parquet"


def run(folder, *flags):
    parser = argparse.ArgumentParser()
    verify.add_parser(parser.add_subparsers())
    args = parser.parse_args(["verify", str(folder), *flags])
    return args.run(args)


def problems(folder, **options):
    return checks.check_folder(folder, **options).problems


def test_a_whole_data_set_is_whole(sealed_dataset, capsys):
    assert run(sealed_dataset, "--json") == 0
    out = capsys.readouterr().out.splitlines()
    found = json.loads(out[-1])
    assert found["ok"] is True
    assert found["problems"] == []
    assert found["problems_total"] == 0
    assert found["rows"] == {"pairs": 26, "rejects": 22, "candidates": 45}
    assert found["files"] == {"pairs": 3, "rejects": 3, "candidates": 3}
    assert "whole" in out


def test_problems_are_lines_and_the_exit_code(sealed_dataset, capsys):
    (sealed_dataset / "COMPLETED").unlink()
    (sealed_dataset / PAIRS).unlink()
    assert run(sealed_dataset) == 1
    lines = capsys.readouterr().out.splitlines()
    assert "problem: COMPLETED is missing: the data set was not finished" in lines
    assert f"problem: {PAIRS}: it is missing" in lines
    assert lines[-1] == "problems: 2"


@pytest.mark.parametrize("quick", [True, False])
def test_a_flipped_bit_is_found(sealed_dataset, quick):
    path = sealed_dataset / PAIRS
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert [line.split(" must be ")[0] for line in problems(sealed_dataset, quick=quick)] == [
        f"{PAIRS}: SHA-256"
    ]


def test_a_file_cut_short_is_found(sealed_dataset):
    path = sealed_dataset / PAIRS
    size = path.stat().st_size
    path.write_bytes(path.read_bytes()[:-1])
    assert problems(sealed_dataset) == [f"{PAIRS}: size must be {size}, got {size - 1}"]


def test_strays_are_found_and_a_persons_files_are_not(sealed_dataset):
    for name in ("pairs-00002-of-00005.parquet", "shard-00002-of-00005.json", ".a.01234567.tmp"):
        (sealed_dataset / name).write_bytes(b"")
    (sealed_dataset / "notes.txt").write_text("")
    assert problems(sealed_dataset) == [
        ".a.01234567.tmp was left by a writer that did not finish",
        "pairs-00002-of-00005.parquet is not in the manifest",
        "shard-00002-of-00005.json is not in the manifest",
    ]


def test_documents_must_follow_from_the_manifest(sealed_dataset):
    (sealed_dataset / "README.md").unlink()
    (sealed_dataset / "croissant.json").write_text("{}")
    (sealed_dataset / "shard-00001-of-00003.json").unlink()
    (sealed_dataset / "COMPLETED").write_text("yes")
    assert problems(sealed_dataset) == [
        "README.md: it is missing",
        "croissant.json: does not follow from the manifest",
        "COMPLETED: must be empty",
        "shard-00001-of-00003.json: it is missing",
    ]


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("README.md", "| pairs | 26 |", "| pairs | 27 |"),
        ("README.md", "pairs-*.parquet", "*.parquet"),
        ("README.md", "## Licence", "## Licence\n\nMIT, all of it"),
        ("shard-00000-of-00003.json", '"name": "s0"', '"name": "s1"'),
        ("manifest.json", '"shards": [', '"shards":  ['),
        ("run_summary.json", '"shards": 3', '"shards": 4'),
        ("run_summary.json", '"shards_built": 3', '"shards_built": 9'),
        ("run_summary.json", '"workers": 2', '"workers": "two"'),
        ("run_summary.json", '"Read": 0.5', '"Read": -0.5'),
        ("run_summary.json", '"Read"', '"<script>"'),
        ("run_summary.json", '"Read": 0.5', '"Read": 0.25'),
        ("run_summary.json", '"manifest_sha256": "', '"manifest_sha256": "0'),
        ("run_summary.json", "{", "{ "),
        ("inputs.json", '"f1"', "7"),
    ],
)
def test_a_changed_document_is_found(sealed_dataset, name, old, new):
    inputs = {"index": {"fingerprint": "f1"}, "source": {"files": {"a": "1"}, "fingerprint": "f2"}}
    (sealed_dataset / "inputs.json").write_bytes(files.dump_json(inputs))
    assert problems(sealed_dataset, quick=True) == []
    text = (sealed_dataset / name).read_text()
    assert old in text
    (sealed_dataset / name).write_text(text.replace(old, new, 1))
    found = problems(sealed_dataset, quick=True)
    assert found
    assert all(line.startswith(name) for line in found)


def test_an_edited_manifest_is_found(sealed_dataset):
    path = sealed_dataset / "manifest.json"
    path.write_text(path.read_text().replace('"pairs": 26', '"pairs": 27'))
    line = f"{path} is not a manifest: counts does not follow from the rest"
    assert problems(sealed_dataset) == [line]


def test_a_folder_that_is_none_is_one_error(tmp_path):
    with pytest.raises(CommandError, match="must be a folder that holds a data set or an index"):
        run(tmp_path / "nowhere")
    assert problems(tmp_path) == [
        "manifest.json: it is missing",
        "COMPLETED is missing: the data set was not finished",
    ]


def test_rows_that_give_other_counts_are_found(sealed_dataset):
    row = pair_to_row(records.example(9), input_image=b"", edited_image=b"")
    source = {name: row[name] for name in ("source_position", "source_key", "key")}
    before = (sealed_dataset / "manifest.json").read_bytes()
    sealed.change_rows(sealed_dataset, "pairs", lambda rows: rows[-1].update(source))
    counts = json.loads(before)["shards"][0]["counts"]
    sealed.seal(sealed_dataset, lambda data: data["shards"][0].update(counts=counts))
    assert "shard 0: the rows do not give the counts of the receipt" in problems(sealed_dataset)


def test_a_key_in_two_shards_is_found(tmp_path):
    receipts = []
    for shard in records.output_shards(4, 4, 4):
        finished, considered = sealed.finished(shard.name, 4, "search", masks=True)
        other = [records.with_keys(each, lambda _, n: f"same-{n}") for each in finished]
        asked = [records.with_keys(each, lambda _, n: f"same-{n}") for each in considered]
        receipts.append(
            write_shard(
                tmp_path,
                shard,
                other,
                considered=[tabulate(batch.records) for batch in asked],
                open_source=records.FakeSource().open,
                open_target=records.FakeSource().open,
                configuration_hash="",
            )
        )
    made = records.manifest(receipts, sealed.configuration())
    (tmp_path / "manifest.json").write_bytes(files.dump_json(made.as_dict()))
    (tmp_path / "COMPLETED").write_text("")
    sealed.seal(tmp_path)
    [line] = problems(tmp_path)
    assert "keys of sources must be unique, same-" in line


def test_a_file_that_is_no_parquet_is_found_though_the_hash_is_right(sealed_dataset):
    (sealed_dataset / PAIRS).write_bytes(b"x" * 100)
    sealed.vouch(sealed_dataset, PAIRS)
    [found] = problems(sealed_dataset)
    assert found.startswith(f"cannot read {sealed_dataset / PAIRS}: Parquet magic bytes not found")


def test_the_command_line_knows_it(sealed_dataset, capsys):
    assert main(["verify", str(sealed_dataset), "--quick"]) == 0
    assert "whole" in capsys.readouterr().out.splitlines()
