import dataclasses

import numpy as np
import pytest
from fakes import copies

from transforms.aesthetics import AestheticHead
from transforms.filter import SOURCES_STAGE, filter_batch
from transforms.filter_rules import FilterRuleError, read_rules, read_source_rules
from transforms.measure import measure_batch
from transforms.record import Batch, EmbeddedImage


@pytest.fixture(scope="module")
def measured():
    """Two still lifes, and a picture whose bytes are none, after Measure."""
    drawn = copies.Copies(2).pictures()
    sources = [copies.picture(f"p{n}", n, "s0", data) for n, (_, data) in enumerate(drawn)]
    sources[1] = dataclasses.replace(sources[1], licence="CC-BY-NC")
    sources[2] = dataclasses.replace(sources[2], image=b"no picture")
    vectors = np.eye(3, 4, dtype="<f4")
    records = [
        EmbeddedImage(source=source, embedding=vector.tobytes(), structure=b"")
        for source, vector in zip(sources, vectors, strict=True)
    ]
    layer = np.array([[1.0, 2.0, 3.0, 4.0]], np.float32), np.array([0.5], np.float32)
    return measure_batch(Batch("s0", 0, tuple(records)), AestheticHead((layer,)))


def test_all_values_are_there_and_what_does_not_decode_is_a_reject(measured):
    assert [each.values["aesthetic"] for each in measured.records] == [1.5, 2.5]
    for each in measured.records:
        assert each.values["width"] == each.values["height"] == 64
        assert each.values["sharpness"] > 0
    [reject] = measured.rejects
    assert (reject.key, reject.stage, reject.reason) == ("p2", "measure", "not_an_image")


def test_pictures_that_break_a_rule_are_rejects_with_value_and_rule(measured):
    batch = filter_batch(measured, read_rules(["licence=CC0", "aesthetic=<=2"]))
    assert [each.embedded.source.key for each in batch.records] == ["p0"]
    added = batch.rejects[-1]
    assert (added.key, added.stage, added.reason) == ("p1", "filter", "aesthetic_filtered")
    assert added.detail == "aesthetic must be <=2, got 2.5"
    assert batch.rejects[0] == measured.rejects[0]


def test_pictures_are_filtered_as_soon_as_they_are_read():
    said = [{"language": "en", "similarity": 0.3}, {"language": "de", "similarity": 0.4}, {}]
    sources = tuple(copies.picture(f"p{n}", n, "s0", b"", **each) for n, each in enumerate(said))
    batch = filter_batch(Batch("s0", 0, sources), read_source_rules(["language=en,de"]))
    assert [each.key for each in batch.records] == ["p0", "p1"]
    [reject] = batch.rejects
    assert (reject.stage, reject.number) == ("filter", None)
    assert reject.detail == "language must be en,de, got nothing known"
    rules = read_source_rules(["similarity=>=0.35", "width=>=64", "aspect=<=1"])
    batch = filter_batch(batch, rules, stage=SOURCES_STAGE)
    assert [each.key for each in batch.records] == ["p1"]
    added = batch.rejects[-1]
    assert (added.key, added.stage) == ("p0", "filter_sources")
    assert (added.reason, added.detail) == (
        "similarity_filtered",
        "similarity must be >=0.35, got 0.3",
    )
    wide = dataclasses.replace(sources[0], width=100, height=40)
    [reject] = filter_batch(Batch("s0", 0, (wide,)), rules).rejects
    assert reject.detail == "aspect must be <=1, got 2.5"


def test_what_has_to_be_measured_is_no_filter_of_sources():
    with pytest.raises(FilterRuleError, match=r"of sources must be of one of licence, .* 'flat'"):
        read_source_rules(["flat=<=0.5"])


def test_without_rules_everything_stays(measured):
    assert filter_batch(measured, {}) == measured
