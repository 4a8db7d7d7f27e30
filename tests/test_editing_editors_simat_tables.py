import numpy as np
import pytest
from fakes.simat import CAPTIONS, CROPS, QUERIES, REGIONS, SHOWS, TRIPLETS, small_set, write_tables

from editing.editors.simat.tables import Crop, TablesError, read_crops, read_tables


def test_the_tables_are_read_as_the_set_that_they_are(tmp_path):
    found, wanted = read_tables(write_tables(tmp_path)), small_set()
    assert tuple(found.pictures) == REGIONS
    assert tuple(found.captions) == CAPTIONS
    assert tuple(found.shows) == SHOWS
    assert found.queries == wanted.queries


def test_the_stale_column_of_the_queries_is_not_read(tmp_path):
    other = QUERIES.replace(",4,2,True", ",3,2,True")
    assert other != QUERIES
    assert read_tables(write_tables(tmp_path, queries=other)).queries == small_set().queries


def test_captions_are_those_of_the_triplets_in_the_order_they_first_appear_in(tmp_path):
    found = read_tables(write_tables(tmp_path))
    shown = {found.pictures[row]: found.captions[place] for row, place in enumerate(found.shows)}
    assert shown["63"] == "A cat lies on a mat."
    assert shown["70"] == shown["71"] == "A cat sits on a mat."


def test_weights_count_a_word_over_all_halves_and_fields():
    weights = small_set().weights()
    assert np.allclose(weights, [1 / 2**0.5, 1 / 2**0.5, 1, 1])
    assert small_set().half(is_test=True).tolist() == [0, 2, 3]
    assert small_set().half(is_test=False).tolist() == [1]
    assert small_set().words() == ["cat", "dog", "sitting on", "lying on"]


def test_the_retrieval_table_says_where_pictures_are_cut_out(tmp_path):
    crops = read_crops(write_tables(tmp_path))
    assert crops["62"] == Crop("7", (8, 0, 16, 8))
    assert len(crops) == 6


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"triplets": TRIPLETS.replace("dataset_id", "id")}, "the column dataset_id is missing"),
        ({"triplets": TRIPLETS.replace("mat,5", "mat,9")}, "must count the 6 rows from 0"),
        ({"triplets": TRIPLETS.replace("mat,5", "mat,five")}, "must be a number, got 'five'"),
        ({"captions": "one\ntwo"}, "must have a caption for 3 triplets, got 2"),
        ({"queries": QUERIES.replace("70", "99")}, r"line 2: triplets\.csv has no region 99"),
        ({"queries": QUERIES.replace("rel", "verb")}, "line 5: unknown field 'verb'"),
        ({"queries": QUERIES.replace("False", "no")}, "line 3: unknown field 'subj' or is_test"),
        ({"queries": QUERIES.replace("dog,cat", "dog,cow")}, "dog to cow is not what"),
        ({"queries": QUERIES.replace("1,0,2,9", "1,0,1,9")}, "sitting on to lying on is not"),
        ({"queries": QUERIES.replace("cat,dog,1,0,1,4,2,T", "cat,dog,1,0,x,4,2,T")}, "a number"),
    ],
)
def test_tables_that_disagree_are_one_line(tmp_path, changes, message):
    with pytest.raises(TablesError, match=message):
        read_tables(write_tables(tmp_path, **changes))


@pytest.mark.parametrize("box", ["1,2,3", "a,b,c,d", ""])
def test_a_box_that_is_none_is_one_line(tmp_path, box):
    crops = CROPS.replace("0,0,8,8", box, 1)
    with pytest.raises(TablesError, match="bbox must be four whole numbers"):
        read_crops(write_tables(tmp_path, crops=crops))


@pytest.mark.parametrize("name", ["triplets.csv", "captions.txt", "transfos.csv"])
def test_a_missing_table_is_one_line(tmp_path, name):
    (write_tables(tmp_path) / name).unlink()
    with pytest.raises(TablesError, match=rf"{name}: cannot be read \(FileNotFoundError\)"):
        read_tables(tmp_path)
