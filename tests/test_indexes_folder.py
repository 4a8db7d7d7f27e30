import dataclasses
import json
import pickle
import shutil
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import pyarrow.parquet as pq
import pytest
from fakes.folders import contents
from fakes.index import (
    DESCRIPTION,
    DIMENSION,
    MARK,
    build_index,
    draw,
    part_contents,
    picture,
    unit_vectors,
)

from indexes.exact import ExactIndex
from indexes.folder import open_index
from indexes.index_choice import IndexChoice
from indexes.layout import IndexFolderError, Part, write_atomically
from indexes.life_cycle import begin_index, finish_index
from indexes.parts import PartContents, write_part

SAID = {
    "url": "http://x/y",
    "licence": "CC0",
    "nsfw": "no",
    "watermark": 0.25,
    "language": "en",
    "similarity": 0.3,
}


@pytest.fixture
def index(tmp_path, pool):
    return build_index(tmp_path / "index", [pool[:5], [], pool[5:]])


def test_the_folder_has_clip_retrievals_layout(index, pool):
    folder = index.folder
    names = sorted(path.name for path in (folder / "img_emb").iterdir())
    assert names == [f"img_emb_{number:05d}.npy" for number in range(3)]
    embeddings = np.concatenate([np.load(folder / "img_emb" / name) for name in names])
    assert embeddings.dtype == np.dtype("<f4")
    assert embeddings.flags.c_contiguous
    assert embeddings.shape == (12, DIMENSION)
    tables = [pq.read_table(path) for path in sorted((folder / "metadata").iterdir())]
    assert {"image_path", "caption", "url", "key"} <= set(tables[0].column_names)
    keys = [key for table in tables for key in table["key"].to_pylist()]
    assert keys == [source.key for source in pool]
    assert (folder / "COMPLETED").read_bytes() == b""
    assert {"image.index", "image.json", "pairloom.json"} <= set(contents(folder))


def test_faiss_alone_reads_the_index(index):
    import faiss

    read = faiss.read_index(str(index.folder / "image.index"))
    assert read.metric_type == faiss.METRIC_INNER_PRODUCT
    assert read.ntotal == 12


def test_rows_come_back_as_they_were_written(index, pool):
    for row, source in enumerate(pool):
        entry = index.row(row)
        assert entry.row == row
        assert (entry.key, entry.reference) == (source.key, source.reference)
        assert (entry.caption, entry.content_sha256) == (source.caption, source.content_sha256)
        assert entry.caption_confidence == pytest.approx(0.9)
        assert index.find(source.key) == row
    assert index.find("absent") is None


def test_missing_values_stay_missing(tmp_path):
    first = picture("a", draw("red", 20, 20), "red", **SAID)
    index = build_index(tmp_path, [[first, picture("b", draw("blue", 20, 20), "")]])
    assert {name: getattr(index.row(0), name) for name in SAID} == SAID
    assert {getattr(index.row(1), name) for name in SAID} == {None}
    assert index.row(1).caption == ""


def test_search_is_exact_search(index):
    vectors = index.embeddings(range(12))
    queries = unit_vectors(6, seed=4)
    scores, rows = index.search(queries, 5)
    exact_scores, exact_rows = ExactIndex(vectors).search(queries, 5)
    assert (rows == exact_rows).all()
    assert (scores == exact_scores).all()
    assert (index.search(vectors, 1)[1][:, 0] == np.arange(12)).all()


def test_vectors_and_maps_are_gathered_across_parts(index, pool):
    expected = part_contents(pool)
    rows = [11, 0, 5, 4, 4]
    assert (index.embeddings(rows) == expected.embeddings[rows]).all()
    assert (index.structures(rows) == expected.structures[rows]).all()
    assert (index.embedding(7) == expected.embeddings[7]).all()
    assert (index.structure(7) == expected.structures[7]).all()
    assert index.embeddings([]).shape == (0, DIMENSION)


@pytest.mark.parametrize("row", [-1, 12])
def test_a_row_that_is_not_there_is_refused(index, row):
    with pytest.raises(IndexError, match="rows must be in"):
        index.embedding(row)


def test_captions_are_found_by_their_words(index):
    assert index.rows_with_caption("A red  disc, on the left.") == [0, 1]
    assert index.rows_with_caption("a disc red on the left") == []


def test_the_description_says_what_made_it(index):
    assert index.description["encoder"] == "fake@1"
    assert index.description["pictures"] == len(index) == 12
    assert index.description["counts"] == {"pictures": 12}


def first_row(index):
    return index.search(index.embeddings([3]), 1)[1][0, 0], id(index)


def test_an_index_is_pickled_as_its_path(index):
    data = pickle.dumps(index)
    assert len(data) < 1000
    assert pickle.loads(data) is pickle.loads(data)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as workers:
        answers = list(workers.map(first_row, [index, index]))
    assert [row for row, _ in answers] == [3, 3]
    assert answers[0][1] == answers[1][1]


def test_inverted_lists_in_a_folder(tmp_path):
    vectors = unit_vectors(3000)
    one = picture("k", draw("red", 20, 20), "red")
    begin_index(tmp_path, DESCRIPTION)
    (entry,) = part_contents([one]).metadata
    for number in range(3):
        part = PartContents(
            metadata=[dataclasses.replace(entry, key=f"k{number}")] * 1000,
            embeddings=vectors[number * 1000 : (number + 1) * 1000],
            structures=np.zeros((1000, 256), np.uint8),
        )
        write_part(tmp_path, Part(number, 3), part, fingerprint=MARK)
    finish_index(tmp_path, parts=3, choice=IndexChoice("IVF16,Flat", "nprobe=16"))
    queries = unit_vectors(5, seed=9)
    _, rows = open_index(tmp_path).search(queries, 8)
    assert (rows == ExactIndex(vectors).search(queries, 8)[1]).all()


def test_another_encoder_is_refused(index):
    with pytest.raises(IndexFolderError, match=r"encoder: 'fake@1', not 'other@2'"):
        begin_index(index.folder, DESCRIPTION | {"encoder": "other@2"})
    with pytest.raises(IndexFolderError, match="encoder fake@1, not other@2"):
        open_index(index.folder, encoder="other@2")
    with pytest.raises(IndexFolderError, match="dimension 16, not 512"):
        open_index(index.folder, dimension=512)
    assert open_index(index.folder, encoder="fake@1", dimension=DIMENSION) is index


@pytest.mark.parametrize("text", ["", "[1]", "{}", '{"description": {}, "version": 99}'])
def test_a_broken_manifest_is_one_clear_error(index, text):
    (index.folder / "pairloom.json").write_text(text)
    (index.folder / "COMPLETED").touch()
    with pytest.raises(IndexFolderError, match=r"pairloom\.json"):
        open_index(index.folder)


def forget_sums(folder, version=2):
    path = folder / "pairloom.json"
    content = json.loads(path.read_text())
    content.pop("files", None)
    content["version"] = version
    path.write_text(json.dumps(content))
    (folder / "COMPLETED").touch()


def use(index):
    index.search(unit_vectors(1), 3)
    index.structure(0)
    index.row(0)
    index.find("a key")
    index.rows_with_caption("words")


@pytest.mark.parametrize(
    "name",
    [
        "img_emb/img_emb_00000.npy",
        "structure/structure_00002.npy",
        "metadata/metadata_00002.parquet",
        "lookup/metadata.arrow",
        "lookup/keys.npy",
        "lookup/captions.npy",
        "image.index",
        "image.json",
    ],
)
def test_a_damaged_file_is_one_clear_error(tmp_path, index, name):
    for number, damage in enumerate((b"", index.folder.joinpath(name).read_bytes()[:40], None)):
        folder = tmp_path / f"copy{number}"
        shutil.copytree(index.folder, folder)
        if damage is None:
            (folder / name).unlink()
        else:
            (folder / name).write_bytes(damage)
        for _ in range(2):
            with pytest.raises(IndexFolderError, match=name.split("/")[-1]) as caught:
                use(open_index(folder))
            assert "\n" not in str(caught.value)
            # And now as an index that was made before there were any.
            forget_sums(folder, version=3 if name.startswith("lookup") else 2)


def test_a_failed_write_leaves_what_was_there(tmp_path):
    path = tmp_path / "file"
    path.write_text("before")

    def fail(partial):
        partial.write_text("half")
        raise OSError("no space left on device")

    with pytest.raises(IndexFolderError, match=r"cannot write .*file: no space"):
        write_atomically(path, fail)
    assert contents(tmp_path) == {"file": b"before"}


def test_part_labels_sort_as_text():
    labels = [Part(number, 120_000).label for number in (9, 10, 119_999)]
    assert labels == sorted(labels) == ["000009", "000010", "119999"]
    with pytest.raises(ValueError, match="number must be in"):
        Part(3, 3)
