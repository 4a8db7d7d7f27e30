"""Layouts, from maps and from masks."""

import io
import itertools

import numpy as np
import pytest
from PIL import Image

from editing.errors import EditError
from editing.layouts import MOST_SEGMENTS, Layout, Segment, read_layout_map, read_layout_masks
from editing.requests import Request
from transforms.pictures.decoding import PictureError

NAMED = (("red", "apple"), ("#0000ff", "bus"))


def mask(left, right, size=(16, 16)):
    marked = np.zeros(size[::-1], np.uint8)
    marked[:, left:right] = 255
    return Image.fromarray(marked)


def draw_map(*colours, mode="RGB"):
    """Stripes of four pixels, on black."""
    drawn = Image.new("RGB", (16, 16))
    for place, colour in enumerate(colours):
        drawn.paste(colour, (4 * place, 0, 4 * place + 4, 16))
    return drawn.convert(mode)


def data_of(image, kind="PNG", **more):
    buffer = io.BytesIO()
    image.save(buffer, kind, **more)
    return buffer.getvalue()


def error_of(call, *words, **more):
    with pytest.raises(EditError) as caught:
        call(*words, **more)
    assert "\n" not in str(caught.value)
    return str(caught.value)


class TestLayout:
    def test_its_parts(self):
        layout = Layout((Segment("apple", mask(0, 4)), Segment("bus", mask(8, 12))))
        assert (layout.size, layout.phrases) == ((16, 16), ("apple", "bus"))
        marked = np.asarray(layout.union()) == 255
        assert marked[:, [0, 3, 8, 11]].all()
        assert marked.sum() == 128

    @pytest.mark.parametrize("phrase", ["", "  "])
    def test_a_phrase_of_nothing(self, phrase):
        assert error_of(Segment, phrase, mask(0, 4)).startswith("a segment must have a phrase")

    def test_an_empty_segment(self):
        assert error_of(Segment, "bus", mask(0, 0)) == (
            "the segment of 'bus' is empty: it marks nothing"
        )

    def test_what_is_no_layout(self):
        apple = Segment("apple", mask(0, 4))
        other = Segment("bus", mask(0, 4, size=(8, 8)))
        assert "has 8 x 8, the first 16 x 16" in error_of(Layout, (apple, other))
        assert "shares 16 pixels" in error_of(Layout, (apple, Segment("bus", mask(3, 9))))
        twice = (apple, Segment(" Apple", mask(8, 9)))
        assert error_of(Layout, twice).startswith("segments must have different phrases")
        many = tuple(Segment(f"a {n}", mask(0, 1)) for n in range(MOST_SEGMENTS + 1))
        for segments in ((), many):
            assert error_of(Layout, segments) == (
                f"a layout must have 1 to 32 segments, got {len(segments)}"
            )

    def test_a_request_has_one_of_its_picture_s_size(self):
        layout = Layout((Segment("apple", mask(0, 4)),))
        picture = Image.new("RGB", (16, 16))
        assert Request(image=picture, prompt="an apple", layout=layout).layout is layout
        line = error_of(Request, image=picture.resize((8, 8)), prompt="an apple", layout=layout)
        assert line == "layout must have the picture's size 8 x 8, got 16 x 16"


class TestMap:
    @pytest.mark.parametrize(
        "image",
        [
            draw_map("red", "blue"),
            draw_map("red", "blue").quantize(8),
            draw_map("red", "blue", mode="RGBA"),
        ],
        ids=["colours", "palette", "alpha"],
    )
    def test_named_colours_are_segments(self, image):
        layout = read_layout_map(data_of(image), NAMED)
        assert layout.phrases == ("apple", "bus")
        for place, segment in enumerate(layout.segments):
            assert segment.marks()[:, 4 * place : 4 * place + 4].all()
            assert segment.marks().sum() == 64

    def test_what_is_transparent_is_in_no_segment(self):
        pixels = np.array(draw_map("red", "blue", mode="RGBA"))
        pixels[:, 6:] = (9, 9, 9, 0)
        pixels[:, 6] = (255, 0, 0, 0)
        layout = read_layout_map(data_of(Image.fromarray(pixels)), NAMED)
        assert [int(each.marks().sum()) for each in layout.segments] == [64, 32]

    def test_another_background(self):
        image = Image.new("RGB", (16, 16), "white")
        image.paste("red", (0, 0, 4, 16))
        layout = read_layout_map(data_of(image), NAMED[:1], background="#FFFFFF")
        assert layout.segments[0].marks().sum() == 64

    def test_black_can_be_named(self):
        image = draw_map("red")
        layout = read_layout_map(data_of(image), (*NAMED[:1], ("black", "bus")))
        assert [int(each.marks().sum()) for each in layout.segments] == [64, 192]

    def test_a_colour_that_nobody_names(self):
        line = error_of(read_layout_map, data_of(draw_map("red", "lime")), NAMED[:1])
        assert "64 pixels are #00ff00, which no segment names" in line
        soft = draw_map("red", "blue").resize((32, 32))
        assert "more colours, which no segment names" in error_of(
            read_layout_map, data_of(soft), NAMED
        )
        declared = {"background": "white"}
        line = error_of(read_layout_map, data_of(draw_map("red")), NAMED[:1], **declared)
        assert "192 pixels are #000000" in line

    def test_a_named_colour_that_the_map_lacks(self):
        line = error_of(read_layout_map, data_of(draw_map("red")), NAMED)
        assert line == "the map has nothing of #0000ff, the colour of 'bus'"

    @pytest.mark.parametrize(
        ("named", "background", "line"),
        [
            ((), None, "a map needs a phrase for its colours, as in red=green apple"),
            ((("redd", "a"),), None, "a colour must be a CSS name or #rrggbb, such as red or"),
            ((("", "a"),), None, "a colour must be a CSS name or #rrggbb, such as red or"),
            ((("red", "a"), ("#f00", "b")), None, "the colour #ff0000 is named twice"),
            ((("red", "a"),), "red", "the colour #ff0000 is both a segment's and the background"),
            ((("red", "a"),), "back", "a colour must be a CSS name or #rrggbb, such as red or"),
            ((("red", " "),), None, "a segment must have a phrase of the prompt, got none"),
        ],
    )
    def test_names_that_cannot_be(self, named, background, line):
        data = data_of(draw_map("red"))
        assert error_of(read_layout_map, data, named, background=background).startswith(line)

    def test_several_frames_or_no_picture(self):
        frames = [draw_map("red"), draw_map("blue")]
        data = data_of(frames[0], "GIF", save_all=True, append_images=frames[1:])
        assert "one frame, got 2" in error_of(read_layout_map, data, NAMED)
        with pytest.raises(PictureError):
            read_layout_map(b"no picture", NAMED)


class TestMasks:
    def test_one_a_phrase(self):
        files = [(data_of(mask(0, 4)), "apple"), (data_of(mask(8, 16)), "bus")]
        layout = read_layout_masks(files, (16, 16))
        assert layout.phrases == ("apple", "bus")
        assert [int(each.marks().sum()) for each in layout.segments] == [64, 128]

    def test_of_another_size_empty_or_over_one_another(self):
        good = data_of(mask(0, 4))
        assert "32 x 16" in error_of(read_layout_masks, [(good, "apple")], (32, 16))
        empty = data_of(mask(0, 0))
        assert "the mask is empty" in error_of(read_layout_masks, [(empty, "bus")], (16, 16))
        over = [(good, "apple"), (good, "bus")]
        assert "must not overlap" in error_of(read_layout_masks, over, (16, 16))


def test_every_two_segments_are_compared():
    stripes = [Segment(str(n), mask(2 * n, 2 * n + 2)) for n in range(4)]
    for one, other in itertools.permutations(range(4), 2):
        segments = [*stripes]
        segments[other] = Segment("last", mask(2 * one, 2 * one + 1))
        assert "must not overlap" in error_of(Layout, tuple(segments))
