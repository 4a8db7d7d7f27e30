import random
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.testing.util import assert_that, equal_to

from indexes.fence import take_turn
from transforms.batches.landing import Land, Parcel, all_here


@dataclass(frozen=True)
class Drawer:
    """A shard of so many sheets."""

    name: str
    sources: int | None


DRAWERS = (Drawer("a", 4), Drawer("b", 3), Drawer("c", 0), Drawer("d", None))
KINDS = ("sheets", "covers")


def pieces_of(drawer, rows=(2, 1, 1)):
    """Parcels of a drawer, a sheets' and a covers' parcel a batch."""
    left, parcels = drawer.sources if drawer.sources is not None else 2, []
    for number, most in enumerate(rows):
        taken = min(left, most)
        left -= taken
        if taken:
            data = f"{drawer.name}{number}".encode()
            parcels += [Parcel("sheets", number, taken, data), Parcel("covers", number, 0, data)]
    return [(drawer.name, tuple(parcel)) for parcel in parcels]


def write(drawer, parcels, *, folder):
    """A file of the drawer, and a line in `order`."""
    with (folder / "order").open("a") as order:
        order.write(f"{drawer.name}\n")
    text = " ".join(sorted(f"{parcel.kind}:{parcel.data.decode()}" for parcel in parcels))
    (folder / drawer.name).write_text(text)
    return drawer.name, text


def find_whole(drawer, *, folder):
    path = folder / drawer.name
    return (drawer.name, path.read_text()) if path.exists() else None


def land(folder, elements, drawers=DRAWERS, fence=None):
    """Lands `elements`; the receipts must be one a drawer."""
    with beam.Pipeline(runner=FnApiRunner()) as pipeline:
        receipts = (
            pipeline
            | beam.Create(elements, reshuffle=False)
            | Land(
                drawers,
                KINDS,
                partial(write, folder=folder),
                partial(find_whole, folder=folder),
                fence,
            )
        )
        names = receipts | beam.Map(lambda receipt: receipt[0])
        over = fence is not None and fence.is_over()
        assert_that(names, equal_to([] if over else [drawer.name for drawer in drawers]))
    return (folder / "order").read_text().split()


def contents(folder):
    return {drawer.name: (folder / drawer.name).read_text() for drawer in DRAWERS}


def expected():
    return {
        drawer.name: " ".join(
            sorted(f"{parcel[0]}:{parcel[3].decode()}" for _, parcel in pieces_of(drawer))
        )
        for drawer in DRAWERS
    }


def test_a_shard_is_written_with_its_last_piece_and_not_twice(tmp_path):
    order = land(tmp_path, [each for drawer in DRAWERS for each in pieces_of(drawer)])
    assert contents(tmp_path) == expected()
    assert order[:2] == ["a", "b"]
    assert sorted(order) == ["a", "b", "c", "d"]


@pytest.mark.parametrize("seed", range(4))
def test_pieces_that_come_in_any_order_give_the_same_and_none_twice(tmp_path, seed):
    elements = [each for drawer in DRAWERS for each in pieces_of(drawer)]
    random.Random(seed).shuffle(elements)
    order = land(tmp_path, elements)
    assert contents(tmp_path) == expected()
    assert sorted(order) == ["a", "b", "c", "d"]


def test_what_is_whole_is_kept(tmp_path):
    (tmp_path / "a").write_text("mine")
    order = land(tmp_path, [each for drawer in DRAWERS for each in pieces_of(drawer)])
    assert "a" not in order
    assert (tmp_path / "a").read_text() == "mine"


def test_a_run_that_is_over_writes_nothing(tmp_path):
    over = take_turn(tmp_path)
    take_turn(tmp_path)
    (tmp_path / "order").touch()
    assert land(tmp_path, pieces_of(DRAWERS[0]), fence=over) == []


def write_too_late(drawer, parcels, *, fence):
    take_turn(Path(fence.folder))
    fence.check()


def test_a_run_that_ends_while_it_writes_gives_no_receipt(tmp_path):
    fence = take_turn(tmp_path)
    with beam.Pipeline(runner=FnApiRunner()) as pipeline:
        receipts = (
            pipeline
            | beam.Create(pieces_of(DRAWERS[0]))
            | Land(
                DRAWERS,
                KINDS,
                partial(write_too_late, fence=fence),
                partial(find_whole, folder=tmp_path),
                fence,
            )
        )
        assert_that(receipts, equal_to([]))


def test_pieces_of_an_unknown_shard_are_refused(tmp_path):
    with pytest.raises(Exception, match="of one output shard, e is of 0"):
        land(tmp_path, pieces_of(Drawer("e", 2)))


@pytest.mark.parametrize(
    ("rows", "numbers", "whole"),
    [
        (3, ((0, 1), (0, 1)), True),
        (3, ((0, 1), (0,)), False),
        (3, ((0,), (0, 1)), False),
        (2, ((0, 1), (0, 1)), False),
        (None, ((0, 1), (0, 1)), False),
        (0, ((), ()), True),
    ],
)
def test_all_is_here_when_all_rows_and_both_kinds_are(rows, numbers, whole):
    sheets = [Parcel("sheets", number, 2 - number, b"") for number in numbers[0]]
    covers = [Parcel("covers", number, 0, b"") for number in numbers[1]]
    assert all_here(rows, [*sheets, *covers], KINDS) is whole
