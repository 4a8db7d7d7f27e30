import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stilllife.render import render
from stilllife.scene import Mix, draw_scene
from stilllife.truth import (
    PictureId,
    attribute_of,
    differences,
    is_still_life,
    judge_pair,
    masks_of,
    parse_key,
    position_error,
    possible_edits,
    read_caption,
    truth_of,
)
from stilllife.words import COLOURS, FAMILIES, family_of

PICTURES = st.builds(
    PictureId,
    seed=st.integers(0, 10**6),
    two_objects_percent=st.integers(0, 100),
    index=st.integers(0, 10**8 - 1),
)


@given(PICTURES)
def test_a_key_answers_for_its_picture(picture):
    assert is_still_life(picture.key)
    assert parse_key(picture.key) == picture
    share = picture.two_objects_percent / 100
    assert truth_of(picture.key) == draw_scene(picture.seed, picture.index, Mix(share))


@pytest.mark.parametrize("key", ["", "still-life-1-50-1", "still-life-1-50-000000012", "x"])
def test_other_keys_are_refused(key):
    assert not is_still_life(key)
    with pytest.raises(ValueError, match="is not the key of a still life"):
        truth_of(key)
    with pytest.raises(ValueError, match=r"two_objects_percent must be in 0\.\.100, got 101"):
        parse_key("still-life-1-101-00000000")


def test_masks_by_key():
    key = PictureId(3, 100, 8).key
    np.testing.assert_array_equal(masks_of(key), render(truth_of(key)).masks)
    assert len(masks_of(key)) == 2


@given(PICTURES)
def test_captions_are_read_back(picture):
    scene = picture.scene()
    assert read_caption(scene.caption()) == scene.attributes()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a small red apple",
        "a small red dog on the left of a plain background",
        "a small red apple on the left of a plain background with a hat",
        "A small red apple on the left of a plain background",
    ],
)
def test_other_sentences_are_not_read(text):
    assert read_caption(text) is None


@given(PICTURES)
def test_possible_edits_change_one_attribute_each(picture):
    scene = picture.scene()
    before = scene.attributes()
    prompts = possible_edits(scene)
    assert len(prompts) == len(set(prompts))
    changes = []
    for prompt in prompts:
        after = read_caption(prompt)
        assert after is not None
        assert after.keys() == before.keys()
        (name,) = [name for name in before if before[name] != after[name]]
        changes.append((name, after[name]))
        if name.endswith(".noun"):
            assert family_of(after[name]) == family_of(before[name])
        assert after.get("first.noun") != after.get("second.noun")
    assert not [name for name, _ in changes if name in ("count", "side")]
    wanted = {("background", value) for value in ("plain", "patterned")}
    for order, thing in zip(("first", "second"), scene.things, strict=False):
        nouns = set(FAMILIES[family_of(thing.noun)]) - {each.noun for each in scene.things}
        wanted |= {(f"{order}.noun", noun) for noun in nouns}
        wanted |= {(f"{order}.colour", colour) for colour in COLOURS}
        wanted |= {(f"{order}.size", size) for size in ("small", "large")}
    assert set(changes) == wanted - set(before.items())


def find(condition, *, percent=0):
    """The key of the first picture for whose scene `condition` holds."""
    for index in range(20_000):
        picture = PictureId(11, percent, index)
        if condition(picture.scene()):
            return picture.key
    raise AssertionError("no such picture")


@pytest.fixture(scope="module")
def pair():
    """Two pictures of one thing that differ in colour alone."""
    source = PictureId(11, 0, 0).key
    scene = truth_of(source)
    wanted = {p for p in possible_edits(scene) if read_caption(p)["first.colour"] == "pink"}
    return source, find(lambda other: other.caption() in wanted)


def verdict(source, target, **changes):
    words = {
        "caption": truth_of(source).caption(),
        "edit_prompt": truth_of(target).caption(),
        "target_word": "pink",
    }
    return judge_pair(source, target, **(words | changes))


def test_a_right_pair(pair):
    judged = verdict(*pair)
    assert judged.right
    assert judged.wrong == ""
    assert judged.attribute == "colour"
    first, second = (truth_of(key).things[0] for key in pair)
    gap = ((first.centre_x - second.centre_x) ** 2 + (first.centre_y - second.centre_y) ** 2) ** 0.5
    assert judged.position_px == pytest.approx(gap)


def test_an_untrue_caption_makes_it_wrong(pair):
    source, target = pair
    untrue = truth_of(source).caption().replace("background", "wall")
    assert not verdict(source, target, caption=untrue).right
    assert "the source is" in verdict(source, target, caption=untrue).wrong


def test_another_target_than_the_prompts_makes_it_wrong(pair):
    source, target = pair
    other = find(lambda scene: scene.caption() != truth_of(target).caption())
    judged = verdict(source, other, edit_prompt=truth_of(target).caption())
    assert not judged.right
    assert "the target is" in judged.wrong


def test_two_changes_make_it_wrong(pair):
    source, _ = pair
    scene = truth_of(source)
    target = find(lambda other: len(differences(scene, other)) == 2)
    assert not verdict(source, target).right
    assert "they differ in" in verdict(source, target).wrong


def test_no_change_makes_it_wrong(pair):
    source, _ = pair
    same = find(lambda other: other.caption() == truth_of(source).caption())
    assert not verdict(source, same).right


def test_position_needs_as_many_things():
    one, two = draw_scene(0, 0, Mix(0.0)), draw_scene(0, 0, Mix(1.0))
    assert position_error(one, two) is None
    assert position_error(two, two) == 0
    moved = [
        dataclasses.replace(t, centre_x=t.centre_x + d)
        for t, d in zip(two.things, (3, 5), strict=True)
    ]
    assert position_error(two, dataclasses.replace(two, things=tuple(moved))) == pytest.approx(4)


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("pink", "colour"),
        ("small", "size"),
        ("plain", "background"),
        ("bus", "noun"),
        ("left", "other"),
        ("dog", "other"),
    ],
)
def test_attribute_of(word, kind):
    assert attribute_of(word) == kind
