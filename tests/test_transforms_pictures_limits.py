"""What a picture may cost: the limits a source sets, how they are told, and a data set's own."""

import pytest
import yaml

from pipelines.sources import open_source
from transforms.pictures.limits import (
    DEFAULT_LIMITS,
    LIMITS,
    PILLOW_MAX_PIXELS,
    STORED_LIMITS,
    PictureLimits,
    stored_limits,
)
from transforms.protocols import SourceError

WIDER = {
    "max_pixels": 100_000_000,
    "max_bytes": 1_000,
    "min_side": 4,
    "max_aspect": 90,
    "max_scans": 300,
    "max_frames": 20_000,
    "deadline_s": 2.5,
}


def test_every_limit_may_be_set_by_a_source_file(tmp_path):
    assert set(WIDER) == set(LIMITS)
    for kind in ("folder", "img2dataset"):
        path = tmp_path / f"{kind}.yaml"
        path.write_text(yaml.safe_dump({"kind": kind, "path": ".", "limits": WIDER}))
        source = open_source(str(path))
        assert source.limits == PictureLimits(**WIDER)
        assert source.describe()["limits"] == WIDER
        assert open_source(source.describe()) == source


def test_a_description_stays_as_it_was_where_the_new_limits_are_not_used(tmp_path):
    source = open_source(str(tmp_path.parent))
    before = {"max_pixels": 50_000_000, "max_bytes": 50_000_000, "min_side": 16}
    described = source.describe()
    assert described["limits"] == before
    assert list(described["limits"]) == list(before)
    assert open_source({**described, "limits": before}) == source
    assert PictureLimits(min_side=4, max_scans=7).describe() == before | {
        "min_side": 4,
        "max_scans": 7,
    }


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"max_aspect": 0}, "max_aspect must be a whole number >= 1, got 0"),
        ({"max_aspect": 1.5}, "max_aspect must be a whole number >= 1, got 1.5"),
        ({"max_scans": True}, "max_scans must be a whole number >= 1, got True"),
        ({"max_frames": "9"}, "max_frames must be a whole number >= 1, got '9'"),
        ({"max_bytes": None}, "max_bytes must be a whole number >= 1, got None"),
        ({"deadline_s": 0}, r"deadline_s must be a number in \(0, 86400\], got 0"),
        ({"deadline_s": float("nan")}, r"deadline_s must be a number in \(0, 86400\], got nan"),
        ({"deadline_s": float("inf")}, r"deadline_s must be a number in \(0, 86400\], got inf"),
        ({"deadline_s": True}, r"deadline_s must be a number in \(0, 86400\], got True"),
        ({"deadline": 3}, "unknown key 'deadline', it takes max_pixels, .*, deadline_s"),
        ({3: 3}, "unknown key 3"),
    ],
)
def test_a_limit_that_cannot_be_is_one_line(tmp_path, limits, message):
    path = tmp_path / "source.yaml"
    path.write_text(yaml.safe_dump({"kind": "folder", "path": ".", "limits": limits}))
    with pytest.raises(SourceError, match=f"limits: {message}"):
        open_source(str(path))


def test_a_data_set_is_read_by_the_limits_of_both_its_sources():
    source = {"kind": "folder", "limits": {"max_scans": 300, "max_pixels": 9, "min_side": 64}}
    pool = {"kind": "folder", "limits": {"deadline_s": 90, "max_scans": 200}}
    limits = stored_limits(source, pool)
    assert (limits.max_scans, limits.deadline_s) == (300, 90)
    assert limits.max_pixels == STORED_LIMITS.max_pixels == PILLOW_MAX_PIXELS
    assert limits.min_side == 1
    assert stored_limits({"kind": "still-life"}, {}) == STORED_LIMITS


@pytest.mark.parametrize(
    "limits",
    [
        None,
        7,
        [],
        {},
        {"max_scans": "many"},
        {"max_scans": -1},
        {"max_scans": True},
        {"max_scans": 1.5},
        {"deadline_s": float("nan")},
        {"deadline_s": 1e300},
        {"max_pixels": 10**12},
        {"max_scans": 1, "deadline_s": 0.001},
        {"self": 1, "min_side": {}},
    ],
)
def test_a_hostile_manifest_lifts_nothing(limits):
    assert stored_limits({"limits": limits}, {"limits": DEFAULT_LIMITS.describe()}) == STORED_LIMITS
