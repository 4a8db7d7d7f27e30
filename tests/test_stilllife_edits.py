import pytest

from stilllife.edits import changed_attributes, edited_thing, judge_edit
from stilllife.scene import Mix, draw_scene
from stilllife.truth import possible_edits, read_caption

ONE = draw_scene(1, 0, Mix(0.0))
TWO = draw_scene(1, 0, Mix(1.0))


@pytest.mark.parametrize("scene", [ONE, TWO])
def test_what_was_asked_for_is_right_and_the_source_is_not(scene):
    for prompt in possible_edits(scene):
        asked = judge_edit(read_caption(prompt), scene, prompt)
        assert (asked.edited, asked.kept, asked.both) == (True, True, True)
        untouched = judge_edit(scene.attributes(), scene, prompt)
        assert (untouched.edited, untouched.kept, untouched.both) == (False, True, False)


def test_an_attribute_that_went_with_the_edit_is_noticed():
    prompt = possible_edits(ONE)[0]
    reading = read_caption(prompt)
    other = "plain" if reading["background"] == "patterned" else "patterned"
    assert read_caption(prompt)["background"] == ONE.background
    verdict = judge_edit(reading | {"background": other}, ONE, prompt)
    assert (verdict.edited, verdict.kept, verdict.both) == (True, False, False)
    assert [name for name, right in verdict.attributes.items() if not right] == ["background"]


def test_a_second_thing_that_appears_is_not_kept():
    prompt = possible_edits(ONE)[0]
    reading = TWO.attributes() | {"first.size": read_caption(prompt)["first.size"]}
    assert not judge_edit(reading, ONE, prompt).kept


@pytest.mark.parametrize(
    ("prompt", "rule"),
    [("a cat", "must be a caption of the still life"), (ONE.caption(), "must change something")],
)
def test_prompts_that_ask_for_nothing_are_refused(prompt, rule):
    with pytest.raises(ValueError, match=rule):
        judge_edit(ONE.attributes(), ONE, prompt)


def test_the_thing_that_is_edited_is_known():
    for prompt in possible_edits(TWO):
        changed = changed_attributes(TWO, prompt)
        assert len(changed) == 1
        (name,) = changed
        expected = {"first": 0, "second": 1}.get(name.partition(".")[0])
        assert edited_thing(TWO, prompt) == expected
