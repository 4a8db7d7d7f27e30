"""The one reader: pairs with their pictures, tables by rows, and one line for what is wrong."""

import io
import json
import pickle
import subprocess
import sys

import numpy as np
import pyarrow.parquet as pq
import pytest
from fakes.pairs import PROMPTS, SIDE, drawn_row, write_pairs
from fakes.pictures import encoded
from PIL import Image

from transforms.dataset import files
from transforms.dataset.reader import open_pairs
from transforms.dataset.rows import row_to_reject
from transforms.dataset.schema import LATER_COLUMNS, PAIRS
from transforms.dataset.tables import DatasetError, RowGroup

TOTAL = 16
FIRST, LAST = "pairs-00000-of-00003.parquet", "pairs-00002-of-00003.parquet"


@pytest.fixture(scope="module", autouse=True)
def small_row_groups():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "ROW_GROUP", 3)
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory, small_row_groups):
    folder = tmp_path_factory.mktemp("pairs")
    write_pairs(folder)
    return folder


@pytest.fixture
def pairs(folder):
    return open_pairs(folder)


def stored_rows(folder):
    paths = sorted(folder.glob("pairs-*"))
    return [row for path in paths for row in pq.read_table(path).to_pylist()]


def pixels(row, column):
    return np.asarray(Image.open(io.BytesIO(row[column]["bytes"])))


class TestPairs:
    def test_all_pairs_come_in_the_order_of_the_shards(self, pairs, folder):
        assert len(pairs) == TOTAL
        assert [pair.row for pair in pairs] == stored_rows(folder)
        assert [pair.key for pair in pairs] == [row["key"] for row in stored_rows(folder)]

    def test_a_pair_has_the_words_and_scores_of_its_row(self, pairs):
        for number, pair in enumerate(pairs):
            row = drawn_row(number, "s0" if number < 7 else "s2")
            assert pair.edit_prompt == PROMPTS[number % 3] == row["edit_prompt"]
            for name in ("caption", "source_phrase", "target_phrase", "target_caption", "key"):
                assert getattr(pair, name) == row[name]
            assert pair.scores.directional == number % 4
            assert pair.scores.image_image is None
            assert (pair.source_licence, pair.target_licence) == ("CC0", None)

    def test_pictures_and_masks_are_those_of_the_row(self, pairs):
        for pair in pairs:
            for name, column in (
                ("source_image", "input_image"),
                ("pseudo_target_image", "edited_image"),
                ("source_mask", "source_mask"),
                ("target_mask", "target_mask"),
            ):
                picture = getattr(pair, name)
                assert picture.mode == ("L" if name.endswith("mask") else "RGB")
                assert picture.size == (SIDE, SIDE)
                assert np.array_equal(np.asarray(picture), pixels(pair.row, column))
            assert pair.has_masks

    def test_pictures_stay_encoded_until_they_are_asked_for(self, tmp_path):
        write_pairs(tmp_path, change=lambda row: row | {"input_image": {"bytes": b"x"}})
        pair = open_pairs(tmp_path)[0]
        assert pair.pseudo_target_image.size == (SIDE, SIDE)
        with pytest.raises(DatasetError, match=rf"pair {pair.key}: input_image: not_an_image"):
            pair.source_image  # noqa: B018

    def test_any_pair_can_be_had_by_its_place(self, pairs):
        keys = [pair.key for pair in pairs]
        assert [pairs[place].key for place in range(-TOTAL, TOTAL)] == keys * 2
        assert [pairs[place].key for place in (9, 2, 15, 9, 0)] == [
            keys[place] for place in (9, 2, 15, 9, 0)
        ]
        assert pairs[np.int64(3)].key == keys[3]
        for part in (slice(3, 11), slice(None, None, -2), slice(-2, None), slice(9, 3)):
            assert [pair.key for pair in pairs[part]] == keys[part]
        for outside in (TOTAL, -TOTAL - 1):
            with pytest.raises(IndexError, match=rf"pair must be in \[-16, 16\), got {outside}"):
                pairs[outside]

    def test_neighbours_are_read_together(self, pairs, monkeypatch):
        read = []
        once = RowGroup.read
        monkeypatch.setattr(
            RowGroup, "read", lambda group, columns: read.append(group) or once(group, columns)
        )
        for place in range(len(pairs)):
            pairs[place]
        assert read == pairs.row_groups()

    def test_a_process_elsewhere_reads_the_same(self, pairs):
        assert [pair.row for pair in pickle.loads(pickle.dumps(pairs))] == [p.row for p in pairs]

    def test_rejects_and_candidates_are_tables(self, tmp_path):
        from fakes import records

        records.build(tmp_path)
        opened = open_pairs(tmp_path)
        counts = opened.manifest.counts
        assert (len(opened), len(opened.rejects)) == (counts.pairs, counts.rejected)
        rejects = [row_to_reject(row) for row in opened.rejects.rows()]
        assert {reject.reason for reject in rejects} == {"not_an_image", "too_far"}
        assert len(list(opened.candidates.rows(["key"]))) == len(opened.candidates) > 0

    def test_columns_are_those_that_were_asked_for(self, pairs):
        columns = ["key", "input_image"]
        assert all(set(row) == set(columns) for row in pairs.table.rows(columns))
        assert set(next(pairs.table.rows())) == set(PAIRS.names)

    def test_a_data_set_without_pairs_has_none(self, tmp_path):
        write_pairs(tmp_path, counts=(0, 0))
        opened = open_pairs(tmp_path)
        assert (len(opened), list(opened), opened[:], opened.row_groups()) == (0, [], [], [])

    def test_what_lies_in_the_folder_beside_the_manifest_is_not_read(self, tmp_path):
        write_pairs(tmp_path)
        (tmp_path / "pairs-00003-of-00004.parquet").write_bytes(b"x")
        assert len(list(open_pairs(tmp_path))) == TOTAL

    def test_neither_beam_nor_torch_is_imported(self):
        heavy = "{'torch', 'apache_beam'} & {*sys.modules}"
        code = f"import sys, transforms.dataset.reader; print({heavy})"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
        assert done.stdout.decode().strip() == "set()"


class TestVersions:
    def rewrite(self, folder, version):
        path = folder / "manifest.json"
        manifest = json.loads(path.read_text())
        manifest["schema_version"] = version
        for shard in manifest["shards"]:
            shard["schema_version"] = version
        path.write_text(json.dumps(manifest))

    def test_what_the_project_wrote_under_its_earlier_name_is_read(self, tmp_path):
        write_pairs(tmp_path)
        self.rewrite(tmp_path, 1)
        for path in tmp_path.glob("*.parquet"):
            later = [name for name in pq.read_schema(path).names if name in LATER_COLUMNS]
            table = pq.read_table(path).drop_columns(later)
            old = {b"an earlier name": b'{"schema_version": 1}'}
            pq.write_table(table.replace_schema_metadata(old), path, row_group_size=3)
        pairs = open_pairs(tmp_path)
        absent = dict.fromkeys(LATER_COLUMNS)
        stored = [{**row, **absent} for row in stored_rows(tmp_path)]
        assert [pair.row for pair in pairs] == stored
        assert list(pairs.table.rows([*absent])) == [absent] * len(stored)
        assert [pairs[n].row for n in range(len(pairs))] == stored
        assert pairs[1].edit_instruction is None
        columns = ["edit_instruction", "key"]
        assert list(pairs.table.rows(columns)) == [
            {name: row[name] for name in columns} for row in stored
        ]
        batches = [values for _, values in pairs.table.batches(columns)]
        assert [key for values in batches for key in values["key"]] == [r["key"] for r in stored]
        assert {None} == {each for values in batches for each in values["edit_instruction"]}

    def test_a_version_of_the_future_is_refused(self, tmp_path):
        write_pairs(tmp_path)
        self.rewrite(tmp_path, 99)
        with pytest.raises(DatasetError, match=r"manifest\.json.*schema version must be .*got 99"):
            open_pairs(tmp_path)


class TestBad:
    def test_no_folder(self, tmp_path):
        with pytest.raises(DatasetError, match=r"a data set must be a folder, got .*none"):
            open_pairs(tmp_path / "none")

    def test_no_data_set(self, tmp_path):
        with pytest.raises(DatasetError, match=r"cannot read .*manifest\.json: No such file"):
            open_pairs(tmp_path)

    def test_a_shard_that_is_gone(self, tmp_path):
        write_pairs(tmp_path)
        (tmp_path / LAST).unlink()
        opened = open_pairs(tmp_path)
        assert opened[0].key == "s0-key-0-0"
        line = rf"^cannot read .*{LAST}: No such file or directory$"
        for read in (lambda: opened[-1], lambda: list(opened), opened.row_groups):
            with pytest.raises(DatasetError, match=line):
                read()

    def test_a_shard_that_is_cut_short(self, tmp_path):
        write_pairs(tmp_path)
        path = tmp_path / FIRST
        path.write_bytes(path.read_bytes()[:-50])
        with pytest.raises(DatasetError, match=rf"cannot read .*{FIRST}: Parquet magic bytes"):
            list(open_pairs(tmp_path))

    def test_a_shard_that_is_damaged_inside(self, tmp_path):
        write_pairs(tmp_path)
        path = tmp_path / FIRST
        start = pq.read_metadata(path).row_group(0).column(0).dictionary_page_offset or 4
        data = bytearray(path.read_bytes())
        data[start : start + 300] = b"\xff" * 300
        path.write_bytes(data)
        with pytest.raises(DatasetError, match=rf"cannot read .*{FIRST}"):
            list(open_pairs(tmp_path))

    def test_a_column_that_is_missing(self, tmp_path):
        write_pairs(tmp_path)
        path = tmp_path / LAST
        pq.write_table(pq.read_table(path).drop_columns(["target_caption"]), path)
        opened = open_pairs(tmp_path)
        for read in (
            lambda: list(opened),
            lambda: opened[-1],
            lambda: list(opened.table.batches(["target_caption"])),
            lambda: opened.table.take([15], ["target_caption"]),
        ):
            with pytest.raises(DatasetError, match=rf"{LAST} has no column target_caption"):
                read()
        assert len(list(opened.table.rows(["key"]))) == TOTAL

    def test_a_shard_with_other_rows_than_the_manifest_says(self, tmp_path):
        write_pairs(tmp_path)
        path = tmp_path / FIRST
        pq.write_table(pq.read_table(path).slice(1), path)
        opened = open_pairs(tmp_path)
        line = rf"{FIRST} must have 7 rows, as the manifest says, got 6"
        for read in (opened.row_groups, lambda: list(opened), lambda: opened[3]):
            with pytest.raises(DatasetError, match=line):
                read()

    def test_masks_that_were_not_computed(self, tmp_path):
        nothing = {"source_mask": None, "target_mask": None, "mask_status": "not_computed"}
        write_pairs(tmp_path, change=lambda row: row | nothing)
        pair = open_pairs(tmp_path)[4]
        assert not pair.has_masks
        line = rf"pair {pair.key}: masks must be computed.*pairloom rethreshold --segment"
        for name in ("source_mask", "target_mask"):
            with pytest.raises(DatasetError, match=line):
                getattr(pair, name)

    @pytest.mark.parametrize("name", ["input_image", "edited_image", "source_mask", "target_mask"])
    @pytest.mark.parametrize("value", [None, {"bytes": None, "path": None}])
    def test_a_picture_that_is_not_there(self, tmp_path, name, value):
        write_pairs(tmp_path, change=lambda row: row | {name: value})
        pair = open_pairs(tmp_path)[0]
        asked = {"input_image": "source_image", "edited_image": "pseudo_target_image"}
        with pytest.raises(DatasetError, match=rf"pair {pair.key}: {name} must hold a picture"):
            getattr(pair, asked.get(name, name))

    def test_a_mask_of_another_size_than_its_picture(self, tmp_path):
        small = {"bytes": encoded(np.zeros((8, 9), np.uint8)), "path": None}
        write_pairs(tmp_path, change=lambda row: row | {"target_mask": small})
        pair = open_pairs(tmp_path)[0]
        assert pair.source_mask.size == (SIDE, SIDE)
        line = rf"pair {pair.key}: target_mask is not a mask: mask must be of size \(16, 16\)"
        with pytest.raises(DatasetError, match=line):
            pair.target_mask  # noqa: B018
