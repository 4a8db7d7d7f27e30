"""The parts of an index: what they hold, and whether they are whole."""

import numpy as np
import pytest
from fakes.folders import contents
from fakes.index import (
    DESCRIPTION,
    DIMENSION,
    MARK,
    build_index,
    part_contents,
)

from indexes.fence import FencedError, take_turn
from indexes.layout import Part
from indexes.life_cycle import begin_index, finish_index
from indexes.parts import PartContents, read_part, write_part


def test_the_same_parts_give_the_same_bytes(tmp_path, pool):
    first = build_index(tmp_path / "first", [pool[:6], pool[6:]])
    second = tmp_path / "second"
    begin_index(second, DESCRIPTION)
    for number, sources in ((1, pool[6:]), (0, pool[:6])):
        write_part(second, Part(number, 2), part_contents(sources), fingerprint=MARK)
    finish_index(second, parts=2)
    assert contents(first.folder) == contents(second)


def test_a_whole_part_is_known_and_a_damaged_one_is_not(tmp_path, pool):
    part = Part(0, 1)
    assert read_part(tmp_path, part, fingerprint=MARK) is None
    write_part(tmp_path, part, part_contents(pool, counts={"rejects": 2}), fingerprint=MARK)
    summary = read_part(tmp_path, part, fingerprint=MARK)
    assert (summary.pictures, summary.dimension, summary.counts) == (12, DIMENSION, {"rejects": 2})
    assert read_part(tmp_path, part, fingerprint="another") is None
    for path in part.paths(tmp_path):
        whole = path.read_bytes()
        for damage in (whole[: len(whole) // 2], b""):
            path.write_bytes(damage)
            assert read_part(tmp_path, part, fingerprint=MARK) is None
        path.unlink()
        assert read_part(tmp_path, part, fingerprint=MARK) is None
        path.write_bytes(whole)
    assert read_part(tmp_path, part, fingerprint=MARK) is not None


@pytest.mark.parametrize("wrong", [(12, 255), (11, 256)])
def test_contents_that_do_not_fit_are_refused(pool, wrong):
    good = part_contents(pool)
    with pytest.raises(ValueError, match="structures must be"):
        PartContents(
            metadata=good.metadata,
            embeddings=good.embeddings,
            structures=np.zeros(wrong, np.uint8),
        )


@pytest.mark.parametrize("files", range(4))
def test_a_run_that_is_over_puts_no_file_of_a_part(tmp_path, pool, files):
    part, fence = Part(0, 1), take_turn(tmp_path)
    looks = []

    def permit():
        looks.append(1)
        if len(looks) == files + 1:
            take_turn(tmp_path)
        fence.check()

    with pytest.raises(FencedError):
        write_part(tmp_path, part, part_contents(pool), fingerprint=MARK, permit=permit)
    named = [path for path in part.paths(tmp_path) if path.exists()]
    assert len(named) == max(files - 1, 0)
    assert read_part(tmp_path, part, fingerprint=MARK) is None
    assert not list(tmp_path.rglob("*.partial"))
