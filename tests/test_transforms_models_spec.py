"""Naming a model: locations, revisions, options, and one clear line for everything wrong."""

import pickle
from dataclasses import dataclass

import pytest

from transforms.models.spec import ModelError, ModelSpec, read_options, spec_from

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def spec(location: str, revision: str | None = None, **options) -> ModelSpec:
    return ModelSpec(
        loader="clip", location=location, revision=revision, options=tuple(options.items())
    )


@dataclass(frozen=True)
class Options:
    beams: int = 1
    name: str = "x"

    def __post_init__(self):
        if self.beams < 1:
            raise ValueError(f"beams must be at least 1, got {self.beams}")


class TestModelSpec:
    def test_is_a_value(self):
        one = spec("a/b", COMMIT, z=1, a="b")
        other = spec("a/b", COMMIT, a="b", z=1)
        assert one == other
        assert hash(one) == hash(other)
        assert pickle.loads(pickle.dumps(one)) == one

    @pytest.mark.parametrize("revision", ["main", "", COMMIT[:39], COMMIT.upper()])
    def test_a_revision_that_could_move_is_refused(self, revision):
        with pytest.raises(ModelError, match="revision must be a commit of 40 hexadecimal digits"):
            spec("a/b", revision)

    def test_survives_plain_data(self):
        one = spec("a/b", COMMIT, beams=3)
        assert spec_from(one.describe(), where="x") == one

    @pytest.mark.parametrize(
        ("fields", "message"),
        [
            ({"revison": None}, "encoder: unknown key 'revison'"),
            ({"loader": "clip", "location": "x"}, "encoder: `revision` is missing"),
            ({"revision": None, "loader": 3, "location": "x"}, "`loader` must be text, got 3"),
            ({"revision": 12, "loader": "clip", "location": "x"}, "quoted text or null, got 12"),
            ({"revision": None, "loader": "", "location": "x"}, "needs a loader and a location"),
            (
                {"revision": None, "loader": "clip", "location": "x", "options": [1]},
                "`options` must map names to plain values",
            ),
        ],
    )
    def test_bad_data_are_named(self, fields, message):
        with pytest.raises(ModelError, match=message):
            spec_from(fields, where="encoder")


class TestOptions:
    def test_defaults_and_values(self):
        assert read_options(Options, spec("x")) == Options()
        assert read_options(Options, spec("x", beams=2)) == Options(beams=2)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"beam": 2}, "clip has no option 'beam'; it has beams, name"),
            ({"beams": "2"}, "clip option beams must be int, got '2'"),
            ({"beams": True}, "clip option beams must be int, got True"),
            ({"beams": 0}, "clip: beams must be at least 1, got 0"),
        ],
    )
    def test_bad_ones_are_named(self, options, message):
        with pytest.raises(ModelError, match=message):
            read_options(Options, spec("x", **options))
