import pytest

from indexes.fence import RUNNING_FOLDER, FencedError, TurnError, has_turns, take_turn
from indexes.settled import SettledRows, read_settled


def test_the_latest_run_may_write_and_those_before_may_not(tmp_path):
    assert not has_turns(tmp_path)
    first = take_turn(tmp_path)
    first.check()
    second = take_turn(tmp_path)
    second.check()
    assert has_turns(tmp_path)
    assert (first.number, second.number) == (1, 2)
    with pytest.raises(FencedError, match="is run 2's to fill: run 1 is over"):
        first.check()


@pytest.mark.parametrize("spoilt", [None, b"", b"[]", b'{"number": 1}', b"[" * 100_000])
def test_where_no_turn_can_be_read_nobody_may_write(tmp_path, spoilt):
    fence = take_turn(tmp_path)
    path = tmp_path / RUNNING_FOLDER / "turn.json"
    if spoilt is None:
        path.unlink()
    else:
        path.write_bytes(spoilt)
    with pytest.raises(FencedError, match="is nobody's to fill"):
        fence.check()
    assert take_turn(tmp_path).token != fence.token


def test_workers_sign_in_for_their_own_run(tmp_path):
    first = take_turn(tmp_path)
    assert not first.has_begun()
    first.begin()
    first.begin()
    assert first.has_begun()
    second = take_turn(tmp_path)
    assert not second.has_begun()


def test_a_folder_is_made_and_nothing_lies_openly_in_it(tmp_path):
    take_turn(tmp_path / "deep" / "inside").begin()
    assert [each.name for each in (tmp_path / "deep" / "inside").iterdir()] == [RUNNING_FOLDER]
    assert not list((tmp_path / "deep" / "inside" / RUNNING_FOLDER).glob(".*"))


def test_a_turn_that_is_given_up_is_nobodys_and_the_next_run_takes_it(tmp_path):
    first = take_turn(tmp_path)
    first.give_up()
    assert first.is_over()
    with pytest.raises(FencedError, match="is nobody's to fill: run 1 is over"):
        first.check()
    second = take_turn(tmp_path)
    first.give_up()
    second.check()
    assert second.number == 2


def test_a_turn_that_cannot_be_seen_now_is_not_over(tmp_path):
    fence = take_turn(tmp_path)
    path = tmp_path / RUNNING_FOLDER / "turn.json"
    content = path.read_bytes()
    path.unlink()
    path.mkdir()
    for look in (fence.check, fence.is_over, fence.give_up):
        with pytest.raises(TurnError, match=r"cannot read .*turn\.json: Is a directory"):
            look()
    path.rmdir()
    path.write_bytes(content)
    fence.check()


def test_the_signs_of_earlier_runs_are_swept_away(tmp_path):
    first = take_turn(tmp_path)
    first.begin()
    SettledRows(first).add(3)
    assert (first.has_begun(), read_settled(first)) == (True, 3)
    second = take_turn(tmp_path)
    assert (first.has_begun(), read_settled(first), read_settled(second)) == (False, 0, 0)
    names = {each.name for each in (tmp_path / RUNNING_FOLDER).iterdir()}
    assert names == {"turn.json", f"begun-{second.token}"}
    second.remove_signs()
    assert [each.name for each in (tmp_path / RUNNING_FOLDER).iterdir()] == ["turn.json"]
    second.check()


def test_the_signs_of_a_later_run_stay(tmp_path):
    first = take_turn(tmp_path)
    second = take_turn(tmp_path)
    second.begin()
    first.remove_signs()
    assert second.has_begun()


def test_a_worker_that_sees_another_folder_leaves_nothing_there(tmp_path):
    fence = take_turn(tmp_path / "here")
    (tmp_path / "here").rename(tmp_path / "moved")
    fence.begin()
    assert not (tmp_path / "here").exists()
    with pytest.raises(FencedError, match="is nobody's"):
        fence.check()


def test_turns_are_taken_on_stores_too(stored_folder):
    first = take_turn(stored_folder)
    first.begin()
    assert first.has_begun()
    second = take_turn(stored_folder)
    assert (second.number, first.is_over(), second.is_over()) == (2, True, False)
    second.give_up()
    assert second.is_over()
    assert has_turns(stored_folder)
