import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from stilllife.render import render
from stilllife.scene import draw_scene
from transforms.pictures.quality import picture_quality


def still_life(number=0):
    return Image.fromarray(render(draw_scene(3, number)).pixels).resize((256, 256))


def page_of_text():
    page = Image.new("RGB", (400, 300), "white")
    pen = ImageDraw.Draw(page)
    for line in range(18):
        pen.text(
            (10, 8 + 16 * line), "nothing but a long line of words that say little", fill="black"
        )
    return page


def test_a_blurred_picture_is_less_sharp():
    picture = still_life()
    sharp = picture_quality(picture).sharpness
    assert picture_quality(picture.filter(ImageFilter.GaussianBlur(4))).sharpness < sharp / 4


def test_sharpness_does_not_grow_with_the_size_of_the_file():
    page = page_of_text().resize((512, 384))
    larger = page.resize((2048, 1536), Image.Resampling.NEAREST)
    assert picture_quality(larger).sharpness == pytest.approx(
        picture_quality(page).sharpness, rel=0.05
    )


def test_one_colour_is_flat():
    assert picture_quality(Image.new("RGB", (40, 30), "navy")).flat == 1
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    assert picture_quality(Image.fromarray(noise)).flat < 0.02


def test_print_is_told_from_pictures():
    assert picture_quality(page_of_text()).text > 0.7
    inverted = Image.fromarray(255 - np.asarray(page_of_text()))
    assert picture_quality(inverted).text > 0.7
    assert max(picture_quality(still_life(n)).text for n in range(10)) < 0.5
    assert picture_quality(Image.new("RGB", (64, 64), "white")).text == 0


@pytest.mark.parametrize("size", [(1, 1), (2, 500), (7, 7)])
def test_tiny_pictures_have_numbers_too(size):
    quality = picture_quality(Image.new("RGB", size, "red"))
    assert quality.aspect == max(size) / min(size)
    assert (quality.sharpness, quality.text) == (0, 0)
