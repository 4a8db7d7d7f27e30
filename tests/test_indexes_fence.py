import pytest

from indexes.fence import RUNNING_FOLDER, FencedError, has_turns, take_turn


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
