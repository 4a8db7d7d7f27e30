"""Caption: the model's words, words that are known, words of the source; and every way to fail."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import apache_beam as beam
import pytest
from apache_beam.metrics import MetricsFilter
from apache_beam.testing.util import assert_that, equal_to
from fakes.records import bare_source
from PIL import Image

from transforms.caption import (
    Caption,
    LazyCaptioner,
    TakeSourceCaptions,
    caption_batch,
    clean_caption,
    take_source_captions,
)
from transforms.pictures.decoding import encode_png
from transforms.protocols import GeneratedCaption
from transforms.record import Batch, SourceImage, reject_source

RED = (255, 0, 0)
BLUE = (0, 0, 255)
BLACK = (0, 0, 0)
WHITE = (255, 255, 255)
WORDS = {RED: "a red  thing\n", BLUE: "a blue thing", BLACK: "  "}


class Painter:
    """Names a picture's colour; black is nothing, white is more than it can bear."""

    def __init__(self):
        self.seen = 0

    def caption(self, images: Sequence[Image.Image]) -> list[GeneratedCaption]:
        colours = [image.getpixel((0, 0)) for image in images]
        if WHITE in colours:
            raise RuntimeError("too bright")
        self.seen += len(images)
        return [GeneratedCaption(WORDS[colour], 0.5) for colour in colours]


@dataclass(frozen=True)
class LoadPainter:
    def __call__(self) -> Painter:
        return Painter()


@dataclass(frozen=True)
class LoadKnown:
    def __call__(self):
        return known


def known(key: str, content_sha256: str) -> tuple[str, float | None] | None:
    return {"k0": ("a known thing", 0.25)}.get(key)


def source(number: int, colour=None, **fields) -> SourceImage:
    image = encode_png(Image.new("RGB", (16, 16), colour)) if colour else fields.pop("image", None)
    return bare_source(key=f"k{number}", position=number, image=image, **fields)


def batch(*records: SourceImage) -> Batch[SourceImage]:
    return Batch(shard="s", number=0, records=records)


MIXED = batch(
    source(0, RED),
    source(1, WHITE),
    source(2, BLUE),
    source(3, BLACK),
    source(4, image=b"no picture"),
    source(5, RED),
)


class TestCaptionBatch:
    def test_fills_in_words_and_confidence_and_leaves_the_rest(self):
        out = caption_batch(batch(source(0, RED), source(1, BLUE)), Painter())
        assert [(r.caption, r.caption_confidence) for r in out.records] == [
            ("a red thing", 0.5),
            ("a blue thing", 0.5),
        ]
        plain = dataclasses.replace(out.records[0], caption=None, caption_confidence=None)
        assert plain == source(0, RED)

    def test_bad_records_become_rejects_and_their_neighbours_go_on(self):
        out = caption_batch(MIXED, Painter())
        assert [r.key for r in out.records] == ["k0", "k2", "k5"]
        assert [(r.key, r.stage, r.reason) for r in out.rejects] == [
            ("k1", "caption", "model_failed"),
            ("k3", "caption", "empty_caption"),
            ("k4", "caption", "not_an_image"),
        ]
        assert out.rejects[0].detail == "RuntimeError: too bright"

    def test_earlier_rejects_travel_on(self):
        earlier = reject_source(source(9), stage="read", reason="truncated")
        out = caption_batch(dataclasses.replace(MIXED, rejects=(earlier,)), Painter())
        assert out.rejects[0] == earlier
        assert len(out.rejects) == 4

    def test_what_is_known_is_not_asked_again(self):
        painter = Painter()
        out = caption_batch(batch(source(0, RED), source(1, BLUE)), painter, known=known)
        assert [(r.caption, r.caption_confidence) for r in out.records] == [
            ("a known thing", 0.25),
            ("a blue thing", 0.5),
        ]
        assert painter.seen == 1

    def test_a_known_picture_needs_no_bytes(self):
        out = caption_batch(batch(source(0)), Painter(), known=known)
        assert out.records[0].caption == "a known thing"

    def test_an_unknown_picture_without_bytes_is_a_fault_of_the_program(self):
        with pytest.raises(AssertionError, match="k7"):
            caption_batch(batch(source(7)), Painter())


class TestTakeSourceCaptions:
    def test_cleans_and_rejects(self):
        out = take_source_captions(
            batch(
                source(0, alt_text=" A\tred\u00a0 bus\x00\r\n"),
                source(1, alt_text=None),
                source(2, alt_text=" \n"),
            )
        )
        assert [(r.caption, r.caption_confidence) for r in out.records] == [("A red bus", None)]
        assert [(r.key, r.reason) for r in out.rejects] == [
            ("k1", "no_caption"),
            ("k2", "no_caption"),
        ]

    def test_joins_letters_and_accents(self):
        assert clean_caption("cafe\u0301") == "caf\u00e9"


class TestLazyCaptioner:
    def test_loads_when_the_first_picture_comes_and_only_then(self):
        loaded = []

        def load():
            loaded.append(1)
            return Painter()

        lazy = LazyCaptioner(load)
        caption_batch(batch(source(0)), lazy, known=known)
        assert loaded == []
        for _ in range(2):
            out = caption_batch(batch(source(1, RED)), lazy, known=known)
        assert loaded == [1]
        assert out.records[0].caption == "a red thing"


class TestCaption:
    def test_equals_a_plain_loop(self):
        with beam.Pipeline("FnApiRunner") as pipeline:
            out = pipeline | beam.Create([MIXED]) | "Caption" >> Caption(LoadPainter())
            assert_that(out, equal_to([caption_batch(MIXED, Painter())]))

    def test_equals_a_plain_loop_where_captions_are_known(self):
        with beam.Pipeline("FnApiRunner") as pipeline:
            stage = Caption(LoadPainter(), LoadKnown())
            out = pipeline | beam.Create([MIXED]) | "Caption" >> stage
            assert_that(out, equal_to([caption_batch(MIXED, Painter(), known=known)]))

    def test_source_captions_equal_a_plain_loop_and_are_counted(self):
        one = batch(source(0, alt_text="a bus"), source(1))
        pipeline = beam.Pipeline("FnApiRunner")
        out = pipeline | beam.Create([one]) | "Caption" >> TakeSourceCaptions()
        assert_that(out, equal_to([take_source_captions(one)]))
        result = pipeline.run()
        result.wait_until_finish()
        counters = result.metrics().query(MetricsFilter().with_namespace("Caption"))["counters"]
        assert {c.key.metric.name: c.committed for c in counters} == {
            "records": 1,
            "rejected_no_caption": 1,
        }
