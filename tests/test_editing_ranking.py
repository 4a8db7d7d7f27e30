"""Several results of one edit, the best first."""

import numpy as np
import pytest
from fakes.editors import (
    BrightEncoder,
    DrawingEditor,
    HalfRegions,
    drawing_spec,
    half_mask,
    same_pixels,
    seeded,
)
from fakes.pictures import noise as picture
from PIL import Image

from editing.errors import EditError
from editing.loading import LoadedEditor
from editing.ranking import edit_several, rank
from editing.requests import Request
from editing.settings import NoSettings

SIZE = (12, 8)


def edited(results, *, regions=None, editor=None, seed=0, on_step=lambda: None):
    made = editor or DrawingEditor()
    return edit_several(
        LoadedEditor(drawing_spec(made), made, regions),
        Request(image=picture(1, SIZE), prompt="white"),
        NoSettings(),
        seeded(seed),
        results=results,
        encoder=BrightEncoder(),
        on_step=on_step,
    )


def test_the_best_comes_first_with_its_score():
    output = edited(4)
    scores = [edit.score for edit in output.edits]
    assert scores == sorted(scores, reverse=True)
    brightness = [np.asarray(edit.image).mean() for edit in output.edits]
    assert brightness == sorted(brightness, reverse=True)
    assert len(set(brightness)) == 4
    assert output.image is output.edits[0].image
    text = BrightEncoder().encode_texts(["white"])[0]
    assert scores[0] == pytest.approx(
        float(BrightEncoder().encode_images([output.image])[0] @ text)
    )


def test_results_are_drawn_one_after_another_so_that_more_begin_with_the_same():
    few, many = ({edit.image.getpixel((0, 0)) for edit in edited(n).edits} for n in (2, 4))
    assert few < many
    assert few != {edit.image.getpixel((0, 0)) for edit in edited(2, seed=1).edits}


def test_one_result_is_scored_too():
    (only,) = edited(1).edits
    assert only.score is not None


def test_a_mask_is_looked_for_once_and_serves_all_results():
    regions, editor = HalfRegions(), DrawingEditor()
    output = edited(3, regions=regions, editor=editor)
    assert len(regions.asked) == 1
    assert same_pixels(output.edit_mask, half_mask(SIZE))
    assert all(same_pixels(each.edit_mask, half_mask(SIZE)) for each in editor.asked)


def test_every_step_is_told():
    told = []
    edited(3, on_step=lambda: told.append(1))
    assert len(told) == 3


@pytest.mark.parametrize("results", [0, -1])
def test_no_result_at_all_is_refused(results):
    editor = DrawingEditor()
    with pytest.raises(EditError, match=f"^results must be at least 1, got {results}$"):
        edited(results, editor=editor)
    assert editor.asked == []


def test_pictures_are_ranked_by_the_cosine_with_the_prompt():
    images = [Image.new("RGB", SIZE, (grey,) * 3) for grey in (10, 200, 90)]
    ranked = rank(images, "white", BrightEncoder())
    assert [edit.image for edit in ranked] == [images[1], images[2], images[0]]
    assert ranked[0].score == pytest.approx(np.sin(200 / 255 * np.pi / 2))
