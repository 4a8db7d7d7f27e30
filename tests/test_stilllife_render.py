import dataclasses
import hashlib
import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from stilllife.render import render
from stilllife.scene import PICTURE_SIZE, Mix, draw_scene
from stilllife.words import COLOURS, NOUNS

ROOT = Path(__file__).parent.parent
MANY = range(60)


def grown(mask, by):
    """`mask` (0 or 255) with a rim of `by` pixels, as truth values."""
    size = 2 * by + 1
    return np.asarray(Image.fromarray(mask).filter(ImageFilter.MaxFilter(size))) > 0


def test_the_same_bytes_on_every_call():
    for index in MANY:
        scene = draw_scene(4, index)
        one, other = render(scene), render(scene)
        assert one.png() == other.png()
        np.testing.assert_array_equal(one.masks, other.masks)


def test_the_same_bytes_in_another_process():
    code = (
        "import hashlib; from stilllife.render import render; "
        "from stilllife.scene import draw_scene; "
        "print(hashlib.sha256(b''.join(render(draw_scene(9, i)).png() for i in range(5)))"
        ".hexdigest())"
    )
    told = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": "123"},
    )
    here = b"".join(render(draw_scene(9, index)).png() for index in range(5))
    assert told.stdout.strip() == hashlib.sha256(here).hexdigest()


def test_every_picture_is_another():
    assert len({render(draw_scene(seed, index)).png() for seed in (0, 1) for index in MANY}) == 120


def test_a_picture_is_a_64_pixel_square():
    rendering = render(draw_scene(0, 0))
    assert rendering.pixels.shape == (PICTURE_SIZE, PICTURE_SIZE, 3) == (64, 64, 3)
    assert rendering.pixels.dtype == np.uint8
    decoded = Image.open(io.BytesIO(rendering.png()))
    np.testing.assert_array_equal(np.asarray(decoded), rendering.pixels)


def test_there_is_a_mask_for_every_thing_and_they_do_not_overlap():
    for index in MANY:
        scene = draw_scene(2, index)
        masks = render(scene).masks
        assert masks.shape == (len(scene.things), 64, 64)
        assert set(np.unique(masks)) == {0, 255}
        assert (masks > 0).sum(axis=0).max() == 1
        assert all(60 < (mask > 0).sum() < 700 for mask in masks)


def test_a_mask_lies_where_its_thing_lies():
    for index in MANY:
        scene = draw_scene(3, index)
        for thing, mask in zip(scene.things, render(scene).masks, strict=True):
            rows, columns = np.nonzero(mask)
            assert np.abs(columns + 0.5 - thing.centre_x).max() <= thing.width / 2 + 1
            assert np.abs(rows + 0.5 - thing.centre_y).max() <= thing.height / 2 + 1


def test_another_colour_changes_the_masked_pixels_alone():
    """A recoloured thing takes as many random numbers, so that all else stays as it is."""
    for index in MANY:
        scene = draw_scene(5, index, Mix(two_objects=1.0))
        first, second = scene.things
        colour = COLOURS[(COLOURS.index(first.colour) + 3) % len(COLOURS)]
        changed = dataclasses.replace(first, colour=colour)
        before = render(scene)
        after = render(dataclasses.replace(scene, things=(changed, second)))
        np.testing.assert_array_equal(before.masks, after.masks)
        differs = (before.pixels != after.pixels).any(axis=-1)
        assert not (differs & (before.masks[1] > 0)).any()
        assert not (differs & ~grown(before.masks[0], 2)).any()
        assert differs[before.masks[0] > 0].mean() > 0.5


@pytest.mark.parametrize("noun", NOUNS)
def test_every_noun_has_a_drawing_of_its_own(noun):
    scene = draw_scene(6, 0, Mix(two_objects=0.0))
    drawn = {
        name: render(
            dataclasses.replace(scene, things=(dataclasses.replace(scene.things[0], noun=name),))
        ).masks.tobytes()
        for name in NOUNS
    }
    assert [name for name, mask in drawn.items() if mask == drawn[noun]] == [noun]
