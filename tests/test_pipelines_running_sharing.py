"""What processes are handed: all of it once, in order, and less and less towards the end."""

import dataclasses
import math
from functools import partial
from itertools import pairwise

import pytest
from fakes.still_life import POOL

from pipelines.running.pieces import InPieces, Piece
from pipelines.running.sharing import SHARES_A_WORKER, ShardUnit, cut_shard, put_together, share_out
from transforms.read import plan_batches

BATCH = 32
CUT_ONLY = InPieces(cut=partial(plan_batches, batch_size=BATCH), graph=None, join=None)


def shards_of(count, size):
    return dataclasses.replace(POOL, count=count, shard_size=size).shards()


def rows(shard):
    return shard.stop - shard.start


def shared(count, size, *, workers, least=100, smallest=32):
    return share_out(
        shards_of(count, size),
        CUT_ONLY,
        pictures=rows,
        workers=workers,
        least=least,
        smallest=smallest,
    )


def spans_of(unit):
    if isinstance(unit, Piece):
        return list(unit.spans)
    return [span for shard in unit.shards for span in plan_batches(shard, BATCH)]


JOBS = [(500, 1000), (4000, 1000), (24_000, 1000), (4000, 250), (300, 10), (1, 1000), (5050, 777)]


@pytest.mark.parametrize("workers", [2, 3, 16])
@pytest.mark.parametrize(("count", "size"), JOBS)
def test_all_batches_are_handed_out_once_and_in_order(count, size, workers):
    units = shared(count, size, workers=workers)
    wanted = [span for shard in shards_of(count, size) for span in plan_batches(shard, BATCH)]
    assert [span for unit in units for span in spans_of(unit)] == wanted
    assert sum(unit.pictures for unit in units) == count
    cut = {unit.shard: unit.of for unit in units if isinstance(unit, Piece)}
    for shard, number in cut.items():
        pieces = [unit for unit in units if isinstance(unit, Piece) and unit.shard == shard]
        assert len(pieces) == number > 1


@pytest.mark.parametrize("workers", [2, 3, 16])
@pytest.mark.parametrize(("count", "size"), JOBS)
def test_nobody_waits_for_more_than_a_share_of_what_is_left(count, size, workers):
    left = count
    for unit in shared(count, size, workers=workers):
        share = max(32, math.ceil(left / (SHARES_A_WORKER * workers)))
        assert unit.pictures <= 1.5 * share + BATCH
        left -= unit.pictures


def test_units_are_large_first_and_small_in_the_end():
    sizes = [unit.pictures for unit in shared(500, 1000, workers=2)]
    assert sizes == [128, 96, 64, 64, 32, 32, 32, 32, 20]
    sizes = [unit.pictures for unit in shared(24_000, 1000, workers=2)]
    assert sizes[:20] == [1000] * 20
    assert all(later <= earlier + BATCH for earlier, later in pairwise(sizes))
    assert max(sizes[-4:]) <= 2 * BATCH


def test_small_shards_are_put_together_but_not_to_more_than_a_share():
    units = shared(300, 10, workers=2)
    assert all(isinstance(unit, ShardUnit) for unit in units)
    assert units[0].pictures == 70
    assert min(unit.pictures for unit in units[:-1]) >= 32
    (all_together,) = shared(300, 10, workers=2, least=1000, smallest=1000)
    assert all_together.pictures == 300


def test_what_is_not_worth_a_share_is_left_whole():
    (unit,) = shared(40, 1000, workers=2)
    assert isinstance(unit, ShardUnit)
    units = shared(30, 1000, workers=2, smallest=1)
    assert [type(unit) for unit in units] == [ShardUnit]  # a single batch cannot be cut


def test_a_short_rest_goes_to_the_last_piece():
    (shard,) = shards_of(200, 1000)
    spans = plan_batches(shard, BATCH)
    pieces = cut_shard("shard", spans, left=200, share=lambda _: 96)
    assert [piece.pictures for piece in pieces] == [96, 104]
    pieces = cut_shard("shard", spans, left=200, share=lambda _: 64)
    assert [piece.pictures for piece in pieces] == [64, 64, 72]
    assert [len(cut_shard("shard", spans, left=200, share=lambda _: 10)), len(spans)] == [7, 7]


@pytest.mark.parametrize(
    ("sizes", "groups"),
    [([], []), ([3], [[3]]), ([3, 3, 3], [[3, 3], [3]]), ([9, 1, 9], [[9], [1, 9]])],
)
def test_shards_are_put_together_until_they_are_enough(sizes, groups):
    units = put_together(sizes, pictures=lambda each: each, least=5)
    assert units == [ShardUnit(tuple(group), sum(group)) for group in groups]
