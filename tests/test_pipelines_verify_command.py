import argparse
import json

import pyarrow.parquet as pq
import pytest
from fakes import records

from pipelines.terminal.console import CommandError
from pipelines.verify import command as verify
from transforms.dataset import checks, files, schema
from transforms.dataset.card import croissant_data
from transforms.dataset.folder import write_manifest
from transforms.dataset.rows import pair_to_row
from transforms.dataset.shard_contents import tabulate
from transforms.dataset.shards import OutputShard, load_receipt, receipt_file
from transforms.write import write_shard

PAIRS = "pairs-00000-of-00002.parquet"


def write_unchecked(folder, receipts):
    """Finishes a data set as a writer would that does not look into its files."""
    manifest = records.manifest(receipts)
    (folder / "manifest.json").write_bytes(files.dump_json(manifest.as_dict()))
    (folder / "croissant.json").write_bytes(files.dump_json(croissant_data(manifest)))
    (folder / "README.md").write_text("")
    (folder / "COMPLETED").write_text("")


def run(folder, *flags):
    parser = argparse.ArgumentParser()
    verify.add_parser(parser.add_subparsers())
    args = parser.parse_args(["verify", str(folder), *flags])
    return args.run(args)


def problems(folder, **options):
    return checks.check_folder(folder, **options).problems


def test_a_whole_data_set_is_whole(small_dataset, capsys):
    assert run(small_dataset, "--json") == 0
    out = capsys.readouterr().out.splitlines()
    found = json.loads(out[-1])
    assert found["ok"] is True
    assert found["problems"] == []
    assert found["rows"] == {"pairs": 11, "rejects": 6, "candidates": 14}
    assert found["files"] == {"pairs": 2, "rejects": 2, "candidates": 2}
    assert "whole" in out


def test_problems_are_lines_and_the_exit_code(small_dataset, capsys):
    (small_dataset / "COMPLETED").unlink()
    (small_dataset / PAIRS).unlink()
    assert run(small_dataset) == 1
    lines = capsys.readouterr().out.splitlines()
    assert "problem: COMPLETED is missing: the data set was not finished" in lines
    assert f"problem: {PAIRS}: No such file or directory" in lines
    assert lines[-1] == "problems: 2"


@pytest.mark.parametrize("quick", [True, False])
def test_a_flipped_bit_is_found(small_dataset, quick):
    path = small_dataset / PAIRS
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert [line.split(" must be ")[0] for line in problems(small_dataset, quick=quick)] == [
        f"{PAIRS}: SHA-256"
    ]


def test_a_file_cut_short_is_found(small_dataset):
    path = small_dataset / PAIRS
    size = path.stat().st_size
    path.write_bytes(path.read_bytes()[:-1])
    assert problems(small_dataset) == [f"{PAIRS}: size must be {size}, got {size - 1}"]


def test_strays_are_found_and_a_persons_files_are_not(small_dataset):
    for name in ("pairs-00002-of-00003.parquet", "shard-00002-of-00003.json", ".a.01234567.tmp"):
        (small_dataset / name).write_bytes(b"")
    (small_dataset / "notes.txt").write_text("")
    assert problems(small_dataset) == [
        ".a.01234567.tmp was left by a writer that did not finish",
        "pairs-00002-of-00003.parquet is not in the manifest",
        "shard-00002-of-00003.json is not in the manifest",
    ]


def test_documents_are_checked(small_dataset):
    (small_dataset / "README.md").unlink()
    (small_dataset / "croissant.json").write_text("{}")
    (small_dataset / "shard-00001-of-00002.json").unlink()
    assert problems(small_dataset) == [
        "README.md is missing",
        "croissant.json does not follow from the manifest",
        f"cannot read {small_dataset / 'shard-00001-of-00002.json'}: No such file or directory",
    ]


def test_an_edited_manifest_is_found(small_dataset):
    path = small_dataset / "manifest.json"
    path.write_text(path.read_text().replace('"pairs": 11', '"pairs": 12'))
    assert problems(small_dataset) == [
        f"{path} is not a manifest: counts does not follow from the rest"
    ]


def test_a_folder_that_is_none_is_one_error(tmp_path):
    with pytest.raises(CommandError, match="must be a folder that holds a data set"):
        run(tmp_path / "nowhere")
    assert problems(tmp_path)[0].startswith("COMPLETED is missing")


def rewrite_pairs(folder, change):
    """Put changed rows into shard 0 with a manifest that vouches for them."""
    rows = change(pq.read_table(folder / PAIRS).to_pylist())
    receipt = files.write_table(folder / PAIRS, schema.PAIRS, iter(rows))
    write_manifest(folder, records.manifest(vouch_for(folder, vars(receipt))))


def receipt_of(path):
    """What is told of the file at `path` by who believes that it has the rows it had."""
    return {"bytes": path.stat().st_size, "sha256": files.hash_file(path)}


def vouch_for(folder, pairs):
    """The receipts of both shards, the first with `pairs` told of its pairs."""
    path = folder / receipt_file(OutputShard(0, 2, ""))
    receipt = json.loads(path.read_text())
    receipt["files"][0] |= pairs
    path.write_bytes(files.dump_json(receipt))
    return [load_receipt(folder / receipt_file(OutputShard(number, 2, ""))) for number in (0, 1)]


def changed(row, **changes):
    return {**row, **changes}


def picture(data):
    return {"bytes": data, "path": None}


BROKEN = records.picture(0)[:200]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"input_image": None}, "input_image: there is no picture"),
        ({"edited_image": picture(records.picture(5))}, "edited_image: its SHA-256 must be "),
        ({"source_mask": picture(b"no picture")}, "input_image: its mask cannot be decoded"),
        ({"source_mask": picture(records.mask(size=9).png)}, "its mask must be of size (24, 24)"),
        ({"target_mask": picture(records.picture(3))}, "edited_image: its mask must be a single-"),
    ],
)
def test_pictures_and_masks_must_be_right_though_the_hash_is(small_dataset, changes, expected):
    rewrite_pairs(small_dataset, lambda rows: [changed(rows[0], **changes), *rows[1:]])
    found = problems(small_dataset)
    assert len(found) == 1
    assert expected in found[0]
    assert "s0-key-0-0" in found[0]
    assert problems(small_dataset, quick=True) == []


def test_a_picture_that_does_not_decode_is_found():
    assert "cannot be decoded" in checks.picture_problem(
        picture(BROKEN), None, sha256=files.hashlib.sha256(BROKEN).hexdigest()
    )


def test_null_masks_are_no_problem(small_dataset):
    nothing = {"source_mask": None, "target_mask": None, "mask_status": "not_computed"}
    rewrite_pairs(small_dataset, lambda rows: [changed(row, **nothing) for row in rows])
    assert problems(small_dataset) == []


def test_order_and_counts_of_rows_are_checked(small_dataset):
    rewrite_pairs(small_dataset, lambda rows: rows[::-1])
    assert problems(small_dataset) == ["shard 0: pairs must be sorted by position and edit number"]


def test_rows_that_give_other_counts_are_found(small_dataset):
    row = pair_to_row(records.example(4), input_image=b"", edited_image=b"")
    source = {name: row[name] for name in ("source_position", "source_key", "key")}
    rewrite_pairs(small_dataset, lambda rows: [*rows[:3], changed(rows[3], **source), *rows[4:]])
    assert problems(small_dataset) == ["shard 0: the rows do not give the counts of the receipt"]


def test_a_key_in_two_shards_is_found(tmp_path):
    receipts = []
    for shard in records.output_shards(4, 4):
        finished, considered = records.batches("s0", 4)
        receipts.append(
            write_shard(
                tmp_path,
                shard,
                finished,
                considered=[tabulate(batch.records) for batch in considered],
                open_source=records.FakeSource().open,
                open_target=records.FakeSource().open,
                configuration_hash=records.HASH,
            )
        )
    write_unchecked(tmp_path, receipts)
    assert problems(tmp_path) == [
        f"shard 1: key s0-key-{n}-0 occurs more than once" for n in (0, 1, 2)
    ]


def test_a_file_that_is_no_parquet_is_found_though_the_hash_is_right(small_dataset):
    path = small_dataset / PAIRS
    path.write_bytes(b"x" * 100)
    write_unchecked(small_dataset, vouch_for(small_dataset, receipt_of(path)))
    (found,) = problems(small_dataset)
    assert found.startswith(f"cannot read {path}: Parquet magic bytes not found")


@pytest.mark.parametrize("left_out", ["relation", "input_image"])
def test_other_columns_are_found_though_the_hash_is_right(small_dataset, left_out):
    path = small_dataset / PAIRS
    pq.write_table(pq.read_table(path).drop_columns(left_out), path)
    write_unchecked(small_dataset, vouch_for(small_dataset, receipt_of(path)))
    assert problems(small_dataset) == [f"{PAIRS}: columns must be those of the schema of the pairs"]
