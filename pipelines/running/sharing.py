"""What several processes on one machine are handed, one unit after another, to end together.

A unit is some of a job's shards, or a piece of one. The first to have nothing left to do waits for
whoever took the last unit, so units get smaller towards the end: what is handed out next is a share
of what is left.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

from pipelines.running.pieces import InPieces, Piece
from transforms.read import BatchSpan

ShardT = TypeVar("ShardT")

SHARES_A_WORKER = 2
"""A unit has about as much as is left, divided by so many times the workers; a shard of up to half
as much again stays whole. So nobody is still at a large one when the others have ended."""

PICTURES_A_SHARE = 32
"""Shares don't get smaller than that: a pipeline takes 0.2 s to start."""


@dataclass(frozen=True)
class ShardUnit(Generic[ShardT]):
    """Some shards that are made in one pipeline, and the pictures they hold together."""

    shards: tuple[ShardT, ...]
    pictures: int


def put_together(
    shards: Iterable[ShardT], *, pictures: Callable[[ShardT], int], least: int
) -> list[ShardUnit[ShardT]]:
    """`shards` in order, whole, in units of at least `least` pictures where they are smaller."""
    groups: list[list[ShardT]] = []
    room = 0
    for shard in shards:
        if room <= 0:
            groups.append([])
            room = least
        groups[-1].append(shard)
        room -= pictures(shard)
    return [unit for group in groups for unit in _together(group, pictures)]


def share_out(
    shards: Sequence[ShardT],
    in_pieces: InPieces[ShardT],
    *,
    pictures: Callable[[ShardT], int],
    workers: int,
    least: int,
    smallest: int,
) -> list[ShardUnit[ShardT] | Piece[ShardT]]:
    """`shards` in order: several together, whole, or in pieces, in units that get smaller.

    Args:
        shards: what there is to do.
        in_pieces: how a shard is cut.
        pictures: how many a shard holds, at least 0.
        workers: how many processes there are, at least 1.
        least: shards are put together until a unit has so many pictures, or its share if that is
            less.
        smallest: pictures of the smallest share, at least 1. A unit may have fewer where a shard
            ends, and more where a batch does.
    """
    share = partial(_share, parts=SHARES_A_WORKER * workers, smallest=smallest)
    left = sum(map(pictures, shards))
    units: list[ShardUnit[ShardT] | Piece[ShardT]] = []
    group: list[ShardT] = []
    for shard in shards:
        number = pictures(shard)
        pieces: list[Piece[ShardT]] = []
        if round(number / share(left)) > 1:
            pieces = cut_shard(shard, in_pieces.cut(shard), left=left, share=share)
        if len(pieces) > 1:
            units += [*_together(group, pictures), *pieces]
            group = []
        else:
            group.append(shard)
            if sum(map(pictures, group)) >= min(least, share(left)):
                units += _together(group, pictures)
                group = []
        left -= number
    return [*units, *_together(group, pictures)]


def _share(left: int, *, parts: int, smallest: int) -> int:
    return max(smallest, math.ceil(left / parts))


def _together(
    group: Sequence[ShardT], pictures: Callable[[ShardT], int]
) -> list[ShardUnit[ShardT]]:
    return [ShardUnit(tuple(group), sum(map(pictures, group)))] if group else []


def cut_shard(
    shard: ShardT, spans: Sequence[BatchSpan], *, left: int, share: Callable[[int], int]
) -> list[Piece[ShardT]]:
    """The batches of a shard in pieces, each of about the share that is due when it is handed out.

    `left` is how many pictures there are from this shard on, `share` what is due of so many. What
    remains in the end goes to the last piece where it is less than half its share.
    """
    cuts: list[list[BatchSpan]] = []
    held, due = 0, 0
    for span in spans:
        rows = span.stop - span.start
        if held + rows / 2 > due or not cuts:
            held, due = 0, share(left)
            cuts.append([])
        cuts[-1].append(span)
        held += rows
        left -= rows
    if len(cuts) > 1 and held < due / 2:
        rest = cuts.pop()
        cuts[-1] += rest
    return [Piece(shard, len(cuts), tuple(cut)) for cut in cuts]
