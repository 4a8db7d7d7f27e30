"""Masks as people write them: every mode, depth, palette, colour and alpha marks the box meant."""

import io

import numpy as np
import pytest
from PIL import Image, ImageFilter

from editing.errors import EditError
from editing.masks import read_mask
from transforms.pictures.decoding import PictureError

SIZE = (64, 64)
BOX = np.zeros((64, 64), np.uint8)
BOX[16:48, 8:40] = 1
INSIDE = BOX == 1


def encoded(image, kind="PNG", **more):
    buffer = io.BytesIO()
    image.save(buffer, kind, **more)
    return buffer.getvalue()


def grey(factor, kind=np.uint8, name="PNG", **more):
    return encoded(Image.fromarray(BOX.astype(kind) * kind(factor)), name, **more)


def palette(*colours, indices=BOX, **more):
    image = Image.fromarray(indices)
    flat = [channel for colour in colours for channel in colour]
    image.putpalette(flat + [0] * (768 - len(flat)))
    return encoded(image, **more)


def flat(inside, outside=(0, 0, 0), kind="PNG", **more):
    pixels = np.where(INSIDE[..., None], np.array(inside, np.uint8), np.array(outside, np.uint8))
    return encoded(Image.fromarray(pixels), kind, **more)


def photo_with_a_hole():
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 4), dtype=np.uint8)
    pixels[..., 3] = np.where(INSIDE, 0, 255)
    return encoded(Image.fromarray(pixels))


def turned(orientation, transpose, kind="PNG"):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(Image.fromarray(BOX * np.uint8(255)).transpose(transpose), kind, exif=exif)


LABELS = BOX.copy()
LABELS[16:30, 8:40] = 2

MEANT = {
    "0 and 255": grey(255),
    "0 and 1": grey(1),
    "0 and 15": grey(15),
    "0 and 100": grey(100),
    "labels 1 and 2": encoded(Image.fromarray(LABELS)),
    "one bit": encoded(Image.fromarray(BOX * np.uint8(255)).convert("1")),
    "gif": grey(255, name="GIF"),
    "bmp": grey(255, name="BMP"),
    "jpeg": grey(255, name="JPEG", quality=50),
    "dark jpeg": grey(100, name="JPEG", quality=50),
    "16 bits": grey(65535, np.uint16),
    "16 bits of 0 and 1": grey(1, np.uint16),
    "16 bits of 0 and 255": grey(255, np.uint16),
    "32 bits of 0 and 1": grey(1, np.int32, "TIFF"),
    "32 bits of 0 and 255": grey(255, np.int32, "TIFF"),
    "32 bits of 0 and a billion": grey(10**9, np.int32, "TIFF"),
    "floats of 0 and 1": grey(1, np.float32, "TIFF"),
    "floats of 0 and 0.3": grey(0.3, np.float32, "TIFF"),
    "voc": palette((0, 0, 0), (128, 0, 0)),
    "voc's darkest": palette((0, 0, 0), (64, 0, 0)),
    "voc with a transparent background": palette((0, 0, 0), (128, 0, 0), transparency=0),
    "an unnamed palette": palette((0, 0, 0), (0, 0, 0)),
    "a palette of greys": palette((0, 0, 0), (255, 255, 255)),
    "white": flat((255, 255, 255)),
    "red": flat((255, 0, 0)),
    "blue": flat((0, 0, 255)),
    "dark green": flat((0, 60, 0)),
    "red in a jpeg": flat((255, 0, 0), kind="JPEG", quality=80),
    "one of three channels": flat((1, 1, 1)),
    "webp": flat((255, 255, 255), kind="WEBP", quality=50),
    "opaque": flat((255, 255, 255, 255), (0, 0, 0, 255)),
    "white paint": flat((255, 255, 255, 255), (0, 0, 0, 0)),
    "white paint on white": flat((255, 255, 255, 255), (255, 255, 255, 0)),
    "black paint": flat((0, 0, 0, 255), (0, 0, 0, 0)),
    "red paint, half transparent": flat((255, 0, 0, 128), (0, 0, 0, 0)),
    "grey paint": flat((255, 255), (0, 0)),
    "a picture with a hole": photo_with_a_hole(),
    "lying on its side": turned(6, Image.Transpose.ROTATE_90),
    "upside down": turned(3, Image.Transpose.ROTATE_180, "JPEG"),
}


@pytest.mark.parametrize("name", MEANT)
def test_the_box_that_is_meant_is_marked(name):
    mask = read_mask(MEANT[name], SIZE)
    assert (mask.mode, mask.size) == ("L", SIZE)
    assert np.array_equal(np.asarray(mask) > 127, INSIDE)


def test_soft_edges_stay_as_they_are():
    soft = Image.fromarray(BOX * np.uint8(255)).filter(ImageFilter.GaussianBlur(3))
    assert np.array_equal(np.asarray(read_mask(encoded(soft), SIZE)), np.asarray(soft))
    wide = Image.fromarray(np.asarray(soft).astype(np.uint16) * np.uint16(257))
    assert np.array_equal(np.asarray(read_mask(encoded(wide), SIZE)), np.asarray(soft))


def test_bright_may_change_and_dark_not_whichever_is_larger():
    mask = read_mask(encoded(Image.fromarray(255 - BOX * np.uint8(255))), SIZE)
    assert np.array_equal(np.asarray(mask) > 127, ~INSIDE)


def test_all_of_the_picture_may_be_marked():
    assert np.asarray(read_mask(encoded(Image.new("L", SIZE, 255)), SIZE)).min() == 255


WITH_VOID = np.where(BOX == 0, BOX, 15)
WITH_VOID[15, 8:40] = 255

IN_TWO_WAYS = {
    "empty": (encoded(Image.new("L", SIZE)), "the mask is empty"),
    "all transparent": (encoded(Image.new("RGBA", SIZE)), "the mask is empty"),
    "a sheet with a hole": (flat((9, 9, 9, 0), (9, 9, 9, 255)), "transparency can be read in two"),
    "red on white": (flat((255, 0, 0), (255, 255, 255)), "must be black where nothing may"),
    "labels with 255": (encoded(Image.fromarray(WITH_VOID)), "its values are 15, 255"),
    "one grey": (encoded(Image.new("L", SIZE, 90)), "grey all over"),
    "below 0": (grey(-1, np.int32, "TIFF"), "finite and at least 0"),
    "not a number": (grey(np.nan, np.float32, "TIFF"), "finite and at least 0"),
    "two frames": (
        encoded(
            Image.fromarray(BOX * np.uint8(255)),
            "TIFF",
            save_all=True,
            append_images=[Image.new("L", SIZE)],
        ),
        "a mask must have one frame, got 2",
    ),
    "another size": (
        encoded(Image.new("L", (64, 32), 255)),
        "edit_mask must have the picture's size 64 x 64, got 64 x 32",
    ),
}


@pytest.mark.parametrize("name", IN_TWO_WAYS)
def test_what_says_nothing_or_two_things_is_an_error(name):
    data, rule = IN_TWO_WAYS[name]
    with pytest.raises(EditError) as caught:
        read_mask(data, SIZE)
    assert rule in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("data", [b"", b"no picture", grey(255)[:70]])
def test_what_is_no_picture_is_told_by_its_reason(data):
    with pytest.raises(PictureError):
        read_mask(data, SIZE)
