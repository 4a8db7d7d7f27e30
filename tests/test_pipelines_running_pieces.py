"""Shards in pieces: when they are written, and that their bytes stay the same."""

import dataclasses

from fakes.folders import hashes
from fakes.still_life import POOL, SOURCE, plan_index, plan_pairs

from pipelines.build.job import run_build
from pipelines.index.job import index_job, run_index
from pipelines.running.execution import Execution
from pipelines.running.pieces import (
    Done,
    Joining,
    Piece,
    PiecesSoFar,
    run_joining,
    run_piece,
)
from pipelines.running.runners import StageSeconds
from pipelines.running.sharing import cut_shard
from transforms.batches.landing import Parcel
from transforms.read import plan_batches

SHARD = dataclasses.replace(POOL.shards()[0], stop=1000)


def pieces_of(shard, spans, *, size):
    return cut_shard(shard, spans, left=0, share=lambda _: size)


def done(piece, *data):
    landed = tuple(Parcel("kind", 0, 1, each) for each in data)
    return Done(piece.pictures, StageSeconds({}), piece, landed)


def data_of(joining):
    return sorted(each.data for each in joining.landed)


def test_a_shard_is_joined_once_all_of_it_is_there():
    first, second, third = pieces_of("one", plan_batches(SHARD, 100), size=333)
    (other,) = pieces_of("two", plan_batches(SHARD, 100)[:1], size=100)
    so_far = PiecesSoFar()
    assert so_far.add(done(third, b"c")) is None
    alone = so_far.add(done(other, b"x", b"y"))
    assert isinstance(alone, Joining)
    assert (alone.shard, data_of(alone)) == ("two", [b"x", b"y"])
    assert so_far.add(done(first, b"a")) is None
    assert so_far.add(Done(7, StageSeconds({}))) is None
    joining = so_far.add(done(second, b"b", b"d"))
    assert (joining.shard, data_of(joining)) == ("one", [b"a", b"b", b"c", b"d"])


def test_an_index_in_pieces_is_the_same(tiny_preset, tmp_path):
    source = dataclasses.replace(POOL, count=90, shard_size=60)
    plans = [plan_index(tiny_preset, tmp_path / name, source=source) for name in ("a", "b")]
    run_index(plans[0], Execution())
    summary = run_index(plans[1], Execution(workers=2, pictures_a_unit=10))
    assert hashes(plans[1].folder) == hashes(plans[0].folder)
    assert summary.indexed == 90
    assert {"Read", "Embed", "Write"} <= summary.seconds.keys()


def test_pairs_in_pieces_are_the_same(tiny_preset, told_index, tmp_path):
    source = dataclasses.replace(SOURCE, shard_size=40)
    plans = [
        plan_pairs(tiny_preset, told_index[0], tmp_path / name, source=source)
        for name in ("a", "b")
    ]
    run_build(plans[0], Execution())
    summary = run_build(plans[1], Execution(workers=2, pictures_a_unit=5))
    left_out = {"run_summary.json"}
    one, other = (
        {name: value for name, value in hashes(plan.folder).items() if name not in left_out}
        for plan in plans
    )
    assert one == other
    assert summary.counts.sources == 40


def test_pieces_of_a_shard_may_come_in_any_order(tiny_preset, told_index, tmp_path):
    """What two processes would do, here in one, backwards."""
    from pathlib import Path

    from indexes.layout import fingerprint
    from indexes.life_cycle import begin_index

    plan = plan_index(tiny_preset, tmp_path / "i")
    begin_index(Path(plan.folder), plan.description())
    job = index_job(plan, fingerprint(plan.description()))
    pieces = [
        piece
        for shard in job.shards
        for piece in pieces_of(shard, job.in_pieces.cut(shard), size=70)
    ]
    so_far = PiecesSoFar()
    for piece in reversed(pieces):
        assert isinstance(piece, Piece)
        joining = so_far.add(run_piece(piece, job.in_pieces))
        if joining is not None:
            run_joining(joining, job.in_pieces)
    assert run_index(plan, Execution()).parts_skipped == 3
    assert hashes(plan.folder) == hashes(told_index[0])
