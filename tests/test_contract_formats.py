import io
import json

import numpy as np
import pyarrow.parquet as pq
import pytest
from fakes import records
from PIL import Image

from transforms.dataset.files import hash_file
from transforms.dataset.schema import IMAGE_COLUMNS, PAIRS


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("contract") / "pairs"
    records.build(folder, (10, 0, 7))
    return folder


@pytest.fixture
def offline(monkeypatch, tmp_path):
    import datasets

    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_OFFLINE", True, raising=False)
    datasets.disable_progress_bars()
    return str(tmp_path / "cache")


def test_datasets_loads_the_pairs_as_train_with_pictures(folder, offline):
    import datasets

    loaded = datasets.load_dataset(str(folder), cache_dir=offline)
    assert list(loaded) == ["train"]
    train = loaded["train"]
    expected = [each for shard in ("s0", "s2") for each in finished_examples(shard)]
    assert len(train) == len(expected) > 5
    for name in IMAGE_COLUMNS:
        assert isinstance(train.features[name], datasets.Image), name
    for row, example in zip(train, expected, strict=True):
        assert row["key"] == example.key
        assert row["edit_prompt"] == example.query.edit_prompt
        assert row["input_image"].size == (records.SIZE, records.SIZE)
        assert same_pixels(row["input_image"], example.query.source.image)
        assert same_pixels(row["source_mask"], example.source_mask.png)
        assert row["source_mask"].mode == "L"


def finished_examples(shard):
    finished, _ = records.batches(shard, 10 if shard == "s0" else 7)
    return [example for batch in finished for example in batch.records]


def same_pixels(image, data):
    return np.array_equal(np.asarray(image), np.asarray(Image.open(io.BytesIO(data))))


def test_datasets_loads_rejects_and_candidates_by_name(folder, offline):
    import datasets

    rejects = datasets.load_dataset(str(folder), "rejects", cache_dir=offline)["train"]
    assert set(rejects["reason"]) == {"not_an_image", "too_far"}
    candidates = datasets.load_dataset(str(folder), "candidates", cache_dir=offline)["train"]
    assert len(candidates[0]["candidates"]) == 2


def test_columns_that_instruct_pix2pix_training_reads(folder, offline):
    """As train_instruct_pix2pix does: names by its defaults, pictures turned into RGB arrays."""
    import datasets

    loaded = datasets.load_dataset(str(folder), cache_dir=offline)["train"]
    batch = loaded[:3]
    assert all(isinstance(text, str) for text in batch["edit_prompt"])
    for column in ("input_image", "edited_image"):
        pixels = [np.array(image.convert("RGB")).transpose(2, 0, 1) for image in batch[column]]
        assert np.stack(pixels).shape == (3, 3, records.SIZE, records.SIZE)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_mlcroissant_validates_and_loads_the_records(folder):
    import mlcroissant

    dataset = mlcroissant.Dataset(jsonld=str(folder / "croissant.json"))
    assert dataset.metadata.issues.errors == set()
    records = list(dataset.records("pairs"))
    expected = [each for shard in ("s0", "s2") for each in finished_examples(shard)]
    by_key = {record["pairs/key"].decode(): record for record in records}
    assert set(by_key) == {example.key for example in expected}
    for example in expected:
        record = by_key[example.key]
        assert set(record) == {f"pairs/{name}" for name in PAIRS.names}
        assert same_pixels(record["pairs/input_image"], example.query.source.image)
        assert record["pairs/score_retrieval"] == example.target.scores.retrieval
    rejects = [record["rejects/reason"] for record in dataset.records("rejects")]
    assert set(rejects) == {b"not_an_image", b"too_far"}


def test_croissant_names_every_table_file_with_its_hash(folder):
    croissant = json.loads((folder / "croissant.json").read_text())
    assert croissant["conformsTo"] == "http://mlcommons.org/croissant/1.1"
    hashes = {f["@id"]: f["sha256"] for f in croissant["distribution"] if "sha256" in f}
    assert hashes == {path.name: hash_file(path) for path in folder.glob("*.parquet")}


def test_parquet_is_zstd_in_small_row_groups_with_a_page_index(folder):
    with pq.ParquetFile(folder / "pairs-00000-of-00003.parquet") as file:
        group = file.metadata.row_group(0)
        columns = [group.column(i) for i in range(group.num_columns)]
    assert {column.compression for column in columns} == {"ZSTD"}
    assert all(column.has_offset_index for column in columns)
    plain = [column for column in columns if "." not in column.path_in_schema]
    assert len(plain) == len(PAIRS.names) - len(IMAGE_COLUMNS)
    assert all(column.has_column_index for column in plain)
    pictures = [c for c in columns if c.path_in_schema.endswith("_image.bytes")]
    assert len(pictures) == 2
    assert not any(column.has_column_index for column in pictures)


def test_a_rewrite_gives_the_same_bytes(folder, tmp_path):
    records.build(tmp_path, (10, 0, 7))
    files = sorted(path.name for path in folder.iterdir())
    assert files == sorted(path.name for path in tmp_path.iterdir())
    assert {n: hash_file(folder / n) for n in files} == {n: hash_file(tmp_path / n) for n in files}
