"""An index folder is begun, gone on with, finished and made again."""

import shutil

import pytest
from fakes.index import (
    DESCRIPTION,
    MARK,
    build_index,
    part_contents,
)

from indexes.folder import open_index
from indexes.layout import IndexFolderError, Part
from indexes.life_cycle import begin_index, finish_index
from indexes.parts import write_part


def test_a_key_in_two_parts_is_refused(tmp_path, pool):
    folder = build_index(tmp_path / "index", [pool[:5], [], pool[5:]]).folder
    write_part(folder, Part(1, 3), part_contents(pool[3:4]), fingerprint=MARK)
    with pytest.raises(IndexFolderError) as caught:
        finish_index(folder, parts=3)
    rule = f"keys must be unique, {pool[3].key} is in part 00000 and in part 00001"
    assert str(caught.value) == f"{folder} cannot be finished: {rule}"
    assert not (folder / "COMPLETED").exists()
    write_part(folder, Part(1, 3), part_contents([]), fingerprint=MARK)
    finish_index(folder, parts=3)
    assert len(open_index(folder)) == 12


def test_a_folder_is_begun_resumed_and_finished(tmp_path, pool):
    folder = tmp_path / "index"
    assert begin_index(folder, DESCRIPTION) == "new"
    assert begin_index(folder, DESCRIPTION) == "unfinished"
    write_part(folder, Part(0, 1), part_contents(pool), fingerprint=MARK)
    (folder / "img_emb" / ".img_emb_00001.npy.77.partial").write_bytes(b"left by a killed run")
    with pytest.raises(IndexFolderError, match="is not finished"):
        open_index(folder)
    finish_index(folder, parts=1)
    assert begin_index(folder, DESCRIPTION) == "finished"
    assert not list(folder.rglob("*.partial"))


def test_parts_of_another_cut_are_removed(tmp_path, pool):
    begin_index(tmp_path, DESCRIPTION)
    for number in range(3):
        write_part(tmp_path, Part(number, 3), part_contents(pool[:2]), fingerprint=MARK)
    write_part(tmp_path, Part(0, 1), part_contents(pool), fingerprint=MARK)
    finish_index(tmp_path, parts=1)
    assert [path.name for path in (tmp_path / "metadata").iterdir()] == ["metadata_00000.parquet"]
    assert len(open_index(tmp_path)) == 12


def test_a_foreign_folder_is_refused(tmp_path):
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(IndexFolderError, match="not empty and not an index"):
        begin_index(tmp_path, DESCRIPTION)
    with pytest.raises(IndexFolderError, match="is not an index"):
        open_index(tmp_path)
    assert (tmp_path / "letter.txt").read_text() == "dear"


@pytest.mark.parametrize(
    "description", [{}, {"encoder": 3}, {"encoder": "a", "pictures": 3}, {"encoder": None}]
)
def test_a_useless_description_is_refused(tmp_path, description):
    with pytest.raises(ValueError, match="description must"):
        begin_index(tmp_path, description)


def test_missing_parts_and_empty_pools_are_refused(tmp_path, pool):
    begin_index(tmp_path, DESCRIPTION)
    write_part(tmp_path, Part(0, 2), part_contents([]), fingerprint=MARK)
    with pytest.raises(IndexFolderError, match="lacks part 00001"):
        finish_index(tmp_path, parts=2)
    write_part(tmp_path, Part(1, 2), part_contents([]), fingerprint=MARK)
    with pytest.raises(IndexFolderError, match="no pictures"):
        finish_index(tmp_path, parts=2)
    assert not (tmp_path / "COMPLETED").exists()


def test_a_rebuilt_folder_is_opened_anew(tmp_path, pool):
    assert len(build_index(tmp_path / "index", [pool])) == 12
    shutil.rmtree(tmp_path / "index")
    assert len(build_index(tmp_path / "index", [pool[:4]])) == 4
