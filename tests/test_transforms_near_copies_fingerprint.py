import io

from PIL import Image

from stilllife.render import render
from stilllife.scene import draw_scene
from transforms.near_copies.fingerprint import FINGERPRINT_BYTES, count_bits, fingerprint


def still_life(number):
    return Image.fromarray(render(draw_scene(7, number)).pixels)


def recompressed(image):
    data = io.BytesIO()
    image.save(data, "JPEG", quality=60)
    return Image.open(data, formats=["JPEG"])


def test_copies_differ_in_few_bits_and_other_pictures_in_many():
    pictures = [still_life(number) for number in range(8)]
    marks = [fingerprint(picture) for picture in pictures]
    assert {len(mark) for mark in marks} == {FINGERPRINT_BYTES}
    copies = [
        max(
            count_bits(mark, fingerprint(recompressed(picture))),
            count_bits(mark, fingerprint(picture.resize((150, 150)))),
        )
        for mark, picture in zip(marks, pictures, strict=True)
    ]
    others = [count_bits(one, two) for n, one in enumerate(marks) for two in marks[:n]]
    assert max(copies) < 30
    assert min(others) > 40


def test_a_fingerprint_is_of_the_pixels_alone():
    picture = still_life(1)
    assert fingerprint(picture) == fingerprint(picture.copy())
    assert fingerprint(picture.convert("RGBA").convert("RGB")) == fingerprint(picture)
