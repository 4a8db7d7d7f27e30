"""The one reader of masks: what it takes for a mask, and what it says of what is none."""

import io

import numpy as np
import pytest
from fakes.pictures import encoded
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from transforms.pictures.decoding import encode_png
from transforms.pictures.masks import MaskError, decode_mask


@given(arrays(np.bool_, st.tuples(st.integers(1, 20), st.integers(1, 20))))
def test_a_mask_comes_back_as_it_was_encoded(marked):
    region = np.where(marked, np.uint8(255), np.uint8(0))
    mask = decode_mask(encode_png(region), region.shape[::-1])
    assert mask.mode == "L"
    assert np.array_equal(np.asarray(mask), region)


def test_a_mask_of_one_bit_is_one_of_eight():
    marked = np.eye(5, dtype=bool)
    data = encoded(Image.fromarray(marked).convert("1"))
    assert np.array_equal(np.asarray(decode_mask(data, (5, 5))), np.where(marked, 255, 0))


GREY = np.zeros((6, 4), np.uint8)
DEEP = Image.fromarray(np.zeros((6, 4), np.uint16))


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b"", "mask cannot be decoded: empty_file: the file has 0 bytes"),
        (b"no picture", "mask cannot be decoded: not_an_image"),
        (encoded(GREY)[:45], "mask cannot be decoded: truncated"),
        (encoded(GREY, "BMP"), "mask must be a single-channel PNG, got another format"),
        (encoded(np.zeros((6, 4, 3), np.uint8)), "single-channel .* got colour type 2 and 8 bits"),
        (encoded(Image.fromarray(GREY).convert("P")), "single-channel .* got colour type 3"),
        (encoded(DEEP), "single-channel PNG of at most 8 bits, got colour type 0 and 16 bits"),
        (encoded(GREY.T), r"mask must be of size \(4, 6\), its picture's, got \(6, 4\)"),
    ],
)
def test_what_is_no_mask_of_the_picture_is_one_line(data, line):
    with pytest.raises(MaskError, match=line):
        decode_mask(data, (4, 6))


def test_a_large_mask_is_read():
    buffer = io.BytesIO()
    Image.new("L", (9000, 7000)).save(buffer, "PNG")
    assert decode_mask(buffer.getvalue(), (9000, 7000)).size == (9000, 7000)
