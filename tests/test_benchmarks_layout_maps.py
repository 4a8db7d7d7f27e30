"""Maps of still lifes, and what pictures show of them."""

import numpy as np
import pytest
from support.layout_maps import LEAST_SHARE, draw_maps, measure_pictures

from stilllife.judge import load_judge


class TruthTeller:
    """Finds things where they are drawn, or nothing where `blind`; every picture has one vector."""

    def __init__(self, tasks, *, blind=False):
        self.masks = {
            segment.phrase: segment.marks() * (not blind)
            for task in tasks
            for segment in task.layout.segments
        }

    def relevance(self, images, phrases):
        return np.stack([self.masks[phrase].astype(np.float32) for phrase in phrases])

    def encode_images(self, images):
        return np.ones((len(images), 1), np.float32)

    encode_texts = encode_images


@pytest.fixture(scope="module")
def tasks():
    return draw_maps(7, 6)


def look(tasks, pictures, **more):
    teller = TruthTeller(tasks, **more)
    return measure_pictures(tasks, pictures, segmenter=teller, encoder=teller, judge=load_judge())


def test_half_have_two_things_and_all_a_combination_that_is_new(tasks):
    assert [len(task.layout.segments) for task in tasks] == [1, 2] * 3
    assert all(task.scene.held_out for task in tasks)
    assert [task.scene for task in draw_maps(7, 4)] == [task.scene for task in tasks[:4]]
    for task in tasks:
        assert all(phrase in task.scene.caption() for phrase in task.layout.phrases)
        assert not np.asarray(task.request.image).any()
        mirrored = np.asarray(task.mirrored_request.image)
        assert np.array_equal(mirrored[:, ::-1], np.asarray(task.picture))


def test_real_pictures_show_their_maps(tasks):
    shown = look(tasks, [task.picture for task in tasks])
    assert shown.overlap.tolist() == [1] * 6
    assert shown.right.sum() >= 5  # the judge errs now and then
    assert shown.fid < 1e-6
    small = [
        min(segment.marks().mean() for segment in task.layout.segments) < LEAST_SHARE
        for task in tasks
    ]
    assert np.isnan(shown.few).tolist() == small
    assert set(shown.filtered[~np.isnan(shown.filtered)]) == {1.0}


def test_pictures_of_other_maps_do_not(tasks):
    others = [task.picture for task in tasks]
    shown = look(tasks, [*others[1:], others[0]], blind=True)
    assert shown.overlap.tolist() == shown.right.tolist() == [0] * 6
