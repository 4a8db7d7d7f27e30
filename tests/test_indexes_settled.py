import pytest

from indexes.fence import RUNNING_FOLDER, take_turn
from indexes.settled import SECONDS_A_STORED_TELL, SECONDS_A_TELL, SettledRows, read_settled


class Clock:
    """Seconds that go by when they are told to."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def test_workers_tell_at_once_and_then_now_and_then(tmp_path, clock):
    fence = take_turn(tmp_path)
    one, other = SettledRows(fence, clock=clock), SettledRows(fence, clock=clock)
    assert read_settled(fence) == 0
    one.add(0)
    assert read_settled(fence) == 0
    one.add(4)
    other.add(3)
    assert read_settled(fence) == 7
    one.add(10)
    assert read_settled(fence) == 7
    clock.now += SECONDS_A_TELL
    one.add(1)
    assert read_settled(fence) == 18


def test_what_is_no_number_counts_nothing(tmp_path):
    fence = take_turn(tmp_path)
    SettledRows(fence).add(4)
    running = tmp_path / RUNNING_FOLDER
    for number, data in enumerate([b"", b"-3", b"many", b"9" * 500, "\u0661".encode()]):
        (running / f"settled-{fence.token}-{number}").write_bytes(data)
    (running / "settled-another-1").write_bytes(b"70")
    (running / f"settled-{fence.token}-folder").mkdir()
    assert read_settled(fence) == 4


def test_a_folder_that_is_gone_stops_nobody(tmp_path):
    fence = take_turn(tmp_path / "out")
    told = SettledRows(fence)
    (tmp_path / "out").rename(tmp_path / "moved")
    told.add(4)
    assert read_settled(fence) == 0
    assert not (tmp_path / "out").exists()


def test_on_a_store_they_tell_more_seldom(stored_folder, clock):
    fence = take_turn(stored_folder)
    told = SettledRows(fence, clock=clock)
    told.add(2)
    clock.now += SECONDS_A_TELL
    told.add(2)
    assert read_settled(fence) == 2
    clock.now += SECONDS_A_STORED_TELL
    told.add(2)
    assert read_settled(fence) == 6
