"""Segment: masks of both pictures, empty masks kept, pictures that are gone rejected."""

import dataclasses
import io
from collections.abc import Sequence
from dataclasses import dataclass

import apache_beam as beam
import numpy as np
import pytest
from apache_beam.testing.util import assert_that, equal_to
from fakes.records import bare_query, bare_source
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from transforms.pictures.decoding import encode_png
from transforms.pictures.masks import mask_from_relevance
from transforms.protocols import SourceError, Vectors
from transforms.record import Batch, Candidate, EditExample, Mask
from transforms.segment import Segment, segment_batch

CHANNELS = {"red": 0, "green": 1, "blue": 2}


class Glass:
    """Coloured glass: relevance is the channel that the phrase names, at 16 x 16."""

    def relevance(self, images: Sequence[Image.Image], phrases: Sequence[str]) -> Vectors:
        if "curse" in phrases:
            raise RuntimeError("broken glass")
        maps = [
            np.asarray(image.resize((16, 16), Image.Resampling.NEAREST))[..., CHANNELS[phrase]]
            for image, phrase in zip(images, phrases, strict=True)
        ]
        return np.stack(maps).astype(np.float32) / 255


@dataclass(frozen=True)
class LoadGlass:
    def __call__(self) -> Glass:
        return Glass()


def picture(name: str) -> bytes:
    """A picture of 32 x 16 whose left half has the named colour, at 204 of 255."""
    pixels = np.zeros((16, 32, 3), np.uint8)
    pixels[:, :16, CHANNELS[name]] = 204
    return encode_png(pixels)


def open_picture(reference: str) -> bytes:
    if reference == "gone":
        raise SourceError("no such picture")
    return b"no picture" if reference == "broken" else picture(reference)


def example(
    number: int,
    *,
    source: str = "red",
    target: str = "blue",
    phrases: tuple[str, str] = ("red", "blue"),
    image: bytes | None = None,
) -> EditExample:
    picture = bare_source(
        key=f"k{number}", position=number, reference=source, width=32, height=16, image=image
    )
    return EditExample(
        query=bare_query(picture, source_phrase=phrases[0], target_phrase=phrases[1]),
        target=Candidate(row=0, key="t", reference=target, content_sha256="", caption=""),
    )


def batch(*records: EditExample) -> Batch[EditExample]:
    return Batch(shard="s", number=0, records=records)


def pixels(mask: Mask | None) -> np.ndarray:
    assert mask is not None
    image = Image.open(io.BytesIO(mask.png))
    assert (image.format, image.mode) == ("PNG", "L")
    return np.asarray(image)


LEFT_HALF = np.repeat([[255] * 16 + [0] * 16], 16, axis=0)

MIXED = batch(
    example(0),
    example(1, target="gone"),
    example(2, source="gone"),
    example(3, target="broken"),
    example(4, phrases=("curse", "blue")),
    example(5, phrases=("green", "blue")),
)


class TestMaskFromRelevance:
    def test_at_the_networks_size_it_is_the_cut_itself(self):
        relevance = np.array([[0.5, 0.6], [0.9, 0.1]], np.float32)
        mask = mask_from_relevance(relevance, (2, 2))
        assert np.array_equal(pixels(mask), [[0, 255], [255, 0]])
        assert mask.area == 0.5
        assert mask.confidence == pytest.approx(0.75)

    def test_is_cut_before_it_is_resized(self):
        # The faint rest of the map would widen the mask if the map itself were resized.
        relevance = np.full((4, 4), 0.45, np.float32)
        relevance[:, 0] = 0.95
        wide = pixels(mask_from_relevance(relevance, (16, 16)))
        assert np.array_equal(wide[0] > 0, [True] * 4 + [False] * 12)

    def test_an_empty_mask_says_so(self):
        mask = mask_from_relevance(np.full((4, 4), 0.5, np.float32), (8, 6))
        assert (mask.area, mask.confidence) == (0.0, 0.0)
        assert pixels(mask).shape == (6, 8)
        assert not pixels(mask).any()

    def test_the_threshold_is_checked(self):
        with pytest.raises(ValueError, match=r"threshold must be in \(0, 1\), got 1.0"):
            mask_from_relevance(np.zeros((2, 2), np.float32), (2, 2), threshold=1.0)

    @given(st.integers(0, 10_000), st.integers(1, 40), st.integers(1, 40))
    def test_area_is_the_share_of_white_pixels(self, seed, width, height):
        relevance = np.random.default_rng(seed).random((7, 7), np.float32)
        mask = mask_from_relevance(relevance, (width, height))
        shown = pixels(mask)
        assert shown.shape == (height, width)
        assert set(np.unique(shown)) <= {0, 255}
        assert mask.area == pytest.approx((shown == 255).mean())
        assert 0 <= mask.confidence <= 1
        assert (mask.confidence == 0) == (mask.area == 0)


class TestSegmentBatch:
    def test_each_picture_gets_the_mask_of_its_own_phrase(self):
        out = segment_batch(batch(example(0)), Glass(), open_picture)
        (one,) = out.records
        for mask in (one.source_mask, one.target_mask):
            assert np.array_equal(pixels(mask), LEFT_HALF)
            assert mask.area == 0.5
            assert mask.confidence == pytest.approx(0.8)
        assert dataclasses.replace(one, source_mask=None, target_mask=None) == example(0)

    def test_bytes_at_hand_are_not_opened_again(self):
        at_hand = example(0, source="gone", image=picture("red"))
        out = segment_batch(batch(at_hand), Glass(), open_picture)
        assert np.array_equal(pixels(out.records[0].source_mask), LEFT_HALF)

    def test_sources_may_be_opened_elsewhere(self):
        opened = []

        def open_source(reference: str) -> bytes:
            opened.append(reference)
            return picture("red")

        out = segment_batch(
            batch(example(0, source="elsewhere")), Glass(), open_picture, open_source=open_source
        )
        assert opened == ["elsewhere"]
        assert len(out.records) == 1

    def test_bad_pairs_become_rejects_and_their_neighbours_go_on(self):
        out = segment_batch(MIXED, Glass(), open_picture)
        assert [one.key for one in out.records] == ["k0-0", "k5-0"]
        assert [(r.key, r.stage, r.reason, r.target_key) for r in out.rejects] == [
            ("k1", "segment", "target_gone", "t"),
            ("k2", "segment", "source_gone", "t"),
            ("k3", "segment", "target_gone", "t"),
            ("k4", "segment", "model_failed", "t"),
        ]
        assert out.rejects[0].detail == "gone: no such picture"

    def test_an_empty_mask_is_kept(self):
        out = segment_batch(batch(example(5, phrases=("green", "blue"))), Glass(), open_picture)
        (one,) = out.records
        assert one.source_mask.area == 0
        assert one.target_mask.area == 0.5

    def test_more_examples_than_are_opened_at_once(self):
        many = batch(*(example(number) for number in range(21)))
        out = segment_batch(many, Glass(), open_picture)
        assert [one.key for one in out.records] == [f"k{number}-0" for number in range(21)]


class TestSegment:
    def test_equals_a_plain_loop(self):
        with beam.Pipeline("FnApiRunner") as pipeline:
            stage = Segment(LoadGlass(), open_picture)
            out = pipeline | beam.Create([MIXED]) | "Segment" >> stage
            assert_that(out, equal_to([segment_batch(MIXED, Glass(), open_picture)]))


class EditAsking:
    """Marks the upper half; remembers the edits it was told."""

    def __init__(self):
        self.edits = []

    def edit_relevance(self, images, edits):
        self.edits += edits
        maps = []
        for image in images:
            relevance = np.zeros((image.height, image.width), np.float32)
            relevance[: image.height // 2] = 1
            maps.append(relevance)
        return maps


def test_who_asks_for_the_edit_is_told_it_both_ways():
    one = example(0)
    asking = EditAsking()
    (made,) = segment_batch(batch(one), asking, open_picture).records
    query = one.query
    there, back = asking.edits
    assert (there.phrase, there.caption, there.prompt) == (
        query.source_phrase,
        query.source.caption or "",
        query.edit_prompt,
    )
    assert (back.phrase, back.caption, back.prompt) == (
        query.target_phrase,
        query.edit_prompt,
        query.source.caption or "",
    )
    for mask in (made.source_mask, made.target_mask):
        assert mask.area == pytest.approx(0.5)
        assert mask.confidence == 1.0
