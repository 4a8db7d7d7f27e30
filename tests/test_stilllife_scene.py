from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stilllife.scene import PICTURE_SIZE, SIDE_MARGIN_PX, Mix, draw_scene, single_captions
from stilllife.truth import read_caption
from stilllife.words import BACKGROUNDS, COLOURS, NOUNS, SIDES, SIZES

SEEDS = st.integers(0, 2**31)
INDICES = st.integers(0, 10**7)
MIXES = st.builds(
    Mix, two_objects=st.sampled_from([0.0, 0.5, 1.0]), held_out=st.sampled_from([None, True, False])
)


@given(SEEDS, INDICES, MIXES)
def test_a_scene_is_a_function_of_seed_index_and_mix(seed, index, mix):
    assert draw_scene(seed, index, mix) == draw_scene(seed, index, mix)


@given(SEEDS, INDICES, MIXES)
def test_a_caption_names_every_attribute_and_no_more(seed, index, mix):
    scene = draw_scene(seed, index, mix)
    assert read_caption(scene.caption()) == scene.attributes()


@given(SEEDS, INDICES, MIXES)
def test_things_lie_in_the_picture_and_beside_one_another(seed, index, mix):
    scene = draw_scene(seed, index, mix)
    for thing in scene.things:
        for centre, extent in ((thing.centre_x, thing.width), (thing.centre_y, thing.height)):
            assert extent / 2 - 1e-9 <= centre <= PICTURE_SIZE - extent / 2 + 1e-9
    if len(scene.things) == 2:
        left, right = scene.things
        assert left.centre_x + left.width / 2 <= right.centre_x - right.width / 2 + 1e-9
        assert left.noun != right.noun
    else:
        (thing,) = scene.things
        assert abs(thing.centre_x - PICTURE_SIZE / 2) >= SIDE_MARGIN_PX


@given(SEEDS, INDICES)
def test_held_out_scenes_are_kept_apart(seed, index):
    assert draw_scene(seed, index, Mix(held_out=True)).held_out
    assert not draw_scene(seed, index, Mix(held_out=False)).held_out


def test_neighbours_and_seeds_differ():
    scenes = [draw_scene(seed, index) for seed in range(5) for index in range(40)]
    assert len(set(scenes)) == len(scenes)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_the_share_of_scenes_with_two_things(share):
    counts = Counter(len(draw_scene(7, index, Mix(share)).things) for index in range(1000))
    assert counts[2] / 1000 == pytest.approx(share, abs=0.05)


def test_all_attributes_occur_about_equally_often():
    scenes = [draw_scene(3, index, Mix(two_objects=0.0)) for index in range(3000)]
    for name, values in (
        ("first.noun", NOUNS),
        ("first.colour", COLOURS),
        ("first.size", SIZES),
        ("side", SIDES),
        ("background", BACKGROUNDS),
    ):
        counts = Counter(scene.attributes()[name] for scene in scenes)
        assert set(counts) == set(values)
        expected = 3000 / len(values)
        assert all(0.75 * expected < count < 1.25 * expected for count in counts.values())


def test_single_captions_are_all_captions_of_one_thing():
    captions = single_captions()
    assert len(captions) == len(set(captions)) == 13 * 6 * 2 * 2 * 2
    drawn = {draw_scene(1, index, Mix(two_objects=0.0)).caption() for index in range(300)}
    assert drawn <= set(captions)


def test_a_bad_mix():
    with pytest.raises(ValueError, match=r"two_objects must be in \[0, 1\], got 1.5"):
        Mix(two_objects=1.5)
