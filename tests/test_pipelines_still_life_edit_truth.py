"""The truth about edits of still lifes."""

import io
import math
from dataclasses import replace

import numpy as np
from PIL import Image

from editing.evaluation.cases import EditCase
from pipelines.still_life.edit_truth import load_truth, true_mask
from stilllife.render import render
from stilllife.truth import PictureId, possible_edits
from transforms.models.loading import load_segmenter
from transforms.presets import load_preset


def test_an_edit_that_asks_for_what_is_so_has_no_verdict():
    """As one has whose caption was wrong."""
    picture = PictureId(1, 0, 3)
    scene = picture.scene()
    image = Image.open(io.BytesIO(render(scene).png()))
    case = EditCase(
        key="0",
        source_key=picture.key,
        source=image,
        target=image,
        caption="a wrong one",
        edit_prompt=scene.caption(),
        source_phrase="apple",
        target_phrase="pear",
        edit_mask=image.convert("L"),
    )
    asked = replace(case, edit_prompt=possible_edits(scene)[0])
    truth = load_truth([case, asked], load_segmenter(load_preset("stilllife").segmenter))
    found = truth([case, asked], [image, image])
    assert set(found) == {metric.name for metric in truth.metrics}
    assert all(math.isnan(values[0]) for values in found.values())
    assert (found["kept"][1], found["both"][1]) == (1, 0)


def test_there_is_none_of_other_pictures():
    picture = PictureId(1, 0, 3)
    image = Image.open(io.BytesIO(render(picture.scene()).png()))
    words = dict.fromkeys(("caption", "edit_prompt", "source_phrase", "target_phrase"), "a pear")
    pictures = {"source": image, "target": image, "edit_mask": image.convert("L")}
    case = EditCase(key="0", source_key="a photo", **words, **pictures)
    assert load_truth([case], load_segmenter(load_preset("stilllife").segmenter)) is None


def test_the_true_mask_is_that_of_the_edited_thing_or_of_what_is_no_thing():
    picture = PictureId(1, 100, 4)
    scene = picture.scene()
    first, second = render(scene).masks > 127
    image = Image.open(io.BytesIO(render(scene).png()))
    caption = scene.caption()
    words = dict.fromkeys(("caption", "source_phrase", "target_phrase"), caption)
    pictures = {"source": image, "target": image, "edit_mask": image.convert("L")}
    case = EditCase(key="0", source_key=picture.key, edit_prompt=caption, **words, **pictures)
    assert true_mask(case) is None
    assert true_mask(replace(case, edit_prompt="a pear")) is None
    found = {}
    for prompt in possible_edits(scene):
        mask = true_mask(replace(case, edit_prompt=prompt))
        for name, truly in (("first", first), ("second", second), ("none", ~(first | second))):
            if np.array_equal(mask, truly):
                found[name] = prompt
    assert set(found) == {"first", "second", "none"}
    assert found["none"].split()[-2:] != caption.split()[-2:]
