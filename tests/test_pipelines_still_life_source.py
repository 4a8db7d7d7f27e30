import dataclasses
import pickle

import pytest
from fakes.records import read_all

from pipelines.sources import open_source
from pipelines.still_life.source import StillLifeSource, StillLifeSubset
from stilllife.truth import truth_of
from transforms.protocols import SourceError
from transforms.read import read_batches

POOL = StillLifeSource(count=200, seed=3, shard_size=50)
SUBSET = StillLifeSubset(
    collection=dataclasses.replace(POOL, shard_size=12), objects=2, drawn=30, draw_seed=8
)


def test_a_picture_is_the_same_in_every_collection_of_its_seed():
    later = dataclasses.replace(POOL, start=40, count=20, shard_size=7)
    ours = {picture.key: picture.image for picture in read_all(POOL)}
    assert len(ours) == 200
    assert [ours[picture.key] for picture in read_all(later)] == [
        picture.image for picture in read_all(later)
    ]


def test_a_told_collection_brings_its_captions():
    told = dataclasses.replace(POOL, told=True, count=5)
    assert [picture.alt_text for picture in read_all(told)] == [
        truth_of(picture.key).caption() for picture in read_all(told)
    ]
    assert {picture.alt_text for picture in read_all(dataclasses.replace(POOL, count=5))} == {None}


@pytest.mark.parametrize(("combinations", "held_out"), [("seen", False), ("held-out", True)])
def test_combinations_can_be_left_out(combinations, held_out):
    some = dataclasses.replace(POOL, combinations=combinations, count=40, shard_size=15)
    everything = {p.key: p.image for p in read_all(dataclasses.replace(POOL, count=400))}
    found = read_all(some)
    assert len({picture.key for picture in found}) == 40
    for picture in found:
        assert truth_of(picture.key).held_out == held_out
        assert everything[picture.key] == picture.image
    fitting = [key for key in everything if truth_of(key).held_out == held_out]
    assert [picture.key for picture in found] == fitting[:40]
    assert open_source(some.describe()) == some
    subset = dataclasses.replace(SUBSET, collection=some, drawn=5)
    assert {picture.key for picture in read_all(subset)} <= {picture.key for picture in found}


def test_unknown_combinations():
    message = "combinations must be one of all, seen, held-out, got 'new'"
    with pytest.raises(SourceError, match=message):
        dataclasses.replace(POOL, combinations="new")


def test_a_reference_opens_the_picture_again():
    for picture in read_all(POOL)[:5]:
        assert POOL.open(picture.reference) == picture.image == SUBSET.open(picture.reference)
    with pytest.raises(SourceError, match="is not the key of a still life"):
        POOL.open("still-life:no-such")


@pytest.mark.parametrize("objects", [1, 2])
def test_a_subset_is_of_the_collection_and_shows_so_many_things(objects):
    subset = dataclasses.replace(SUBSET, objects=objects)
    ours = {picture.key: picture for picture in read_all(POOL)}
    drawn = read_all(subset)
    assert len({picture.key for picture in drawn}) == 30
    for picture in drawn:
        whole = ours[picture.key]
        assert len(truth_of(picture.key).things) == objects
        assert (picture.image, picture.reference) == (whole.image, whole.reference)
    assert [picture.key for picture in drawn] == sorted(picture.key for picture in drawn)


def test_its_seed_draws_it():
    again, other = pickle.loads(pickle.dumps(SUBSET)), dataclasses.replace(SUBSET, draw_seed=9)
    assert read_all(again) == read_all(SUBSET)
    assert {p.key for p in read_all(other)} != {p.key for p in read_all(SUBSET)}


def test_its_shards_hold_what_they_say():
    shards = SUBSET.shards()
    assert [(shard.start, shard.stop) for shard in shards] == [(0, 12), (12, 24), (24, 30)]
    positions = [picture.position for picture in read_all(SUBSET)]
    assert positions == list(range(30))
    batches = list(read_batches(SUBSET, shards[1], 5))
    assert [len(batch.records) for batch in batches] == [5, 5, 2]


def test_a_subset_describes_itself():
    assert SUBSET.describe() == POOL.describe() | {
        "objects": 2,
        "drawn": 30,
        "draw_seed": 8,
        "shard_size": 12,
    }


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"drawn": 0}, "drawn must be at least 1, got 0"),
        ({"draw_seed": -1}, "draw_seed must be at least 0, got -1"),
        ({"objects": 3}, "objects must be 1 or 2, got 3"),
    ],
)
def test_bad_subsets(changes, message):
    with pytest.raises(SourceError, match=message):
        dataclasses.replace(SUBSET, **changes)


def test_more_than_there_are():
    with pytest.raises(SourceError, match=r"drawn must be at most \d+, .* got 150"):
        dataclasses.replace(SUBSET, drawn=150).shards()
