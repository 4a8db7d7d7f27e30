"""What a preset chooses for editors tells their edits apart, and nothing else of it does."""

import dataclasses
import json

import pytest
from fakes.command_line import run

from editing.editors.diffedit.settings import WAYS as DECODING
from editing.editors.zestguide.settings import ZestGuideSettings
from editing.loading import choose_editor
from editing.parts import Parts
from editing.regions.contrast_settings import WAYS, ContrastSettings
from editing.regions.registry import REGIONS
from editing.registry import EDITORS
from editing.settings import chosen_numbers

FEW = ("--steps", 2, "--layers", 1)


class Asked(dict):
    """Choices of a preset, which remember what they were asked for."""

    def __init__(self):
        super().__init__()
        self.names = set()

    def get(self, name, default=None):
        self.names.add(name)
        return default

    def __getitem__(self, name):
        self.names.add(name)
        raise KeyError(name)


@pytest.mark.parametrize("name", [*EDITORS, *REGIONS])
def test_none_asks_a_preset_for_what_it_does_not_name(name, editing_preset):
    asked = Asked()
    parts = Parts(preset=dataclasses.replace(editing_preset, defaults=asked))
    if name in REGIONS:
        REGIONS[name].load(parts, REGIONS[name].settings())
        assert not asked.names
        return
    spec = EDITORS[name]
    spec.load(parts)
    assert asked.names == set(spec.preset_defaults(spec.settings()))


def choice(preset, name="zestguide", **defaults):
    return choose_editor(name, Parts(preset=dataclasses.replace(preset, defaults=defaults)))


def test_they_are_told_where_no_setting_says_it(editing_preset):
    for made, settings, told in (
        (choice(editing_preset, tokens="end", features="judge"), {}, {"tokens": "end"}),
        (choice(editing_preset), {}, {"tokens": "phrase"}),
        (choice(editing_preset, tokens="end"), {"tokens": "phrase"}, None),
        (choice(editing_preset, tokens="end"), {"ways": "thesis"}, None),
    ):
        found = made.describe(ZestGuideSettings(**settings))
        assert found.get("defaults") == told
    other = choice(editing_preset, "sdedit", tokens="end")
    assert "defaults" not in other.describe(other.spec.settings())


class TestNumbersOfNamedWays:
    def test_those_that_count_are_told(self):
        assert chosen_numbers(ContrastSettings(contrast_noises=3))["noises"] == 3
        assert chosen_numbers(ContrastSettings())["level"] == WAYS["measured"].level
        assert chosen_numbers(ZestGuideSettings(layers="2,4"))["layers"] == [2, 4]
        assert chosen_numbers(EDITORS["sdedit"].settings()) == {}

    def test_they_stand_beside_the_settings_where_there_are_any(self, editing_preset):
        made = choice(editing_preset, "diffedit")
        found = made.describe_edits(made.spec.settings())
        assert found["chosen"] == {
            "settings": dataclasses.asdict(DECODING["measured"]),
            "regions": dataclasses.asdict(WAYS["measured"]),
        }
        assert found["settings"]["encoding_ratio"] == 0.8
        assert json.loads(json.dumps(found)) == found
        plain = choice(editing_preset, "sdedit")
        assert set(plain.describe_edits(plain.spec.settings())) == {
            "editor",
            "models",
            "dtype",
            "regions",
            "settings",
        }


class TestGoingOn:
    @pytest.fixture
    def world(self, editing_world, tmp_path):
        """Runs a command on the pairs with a preset whose `defaults` are given."""

        def command(name, out, *words, **defaults):
            told = "".join(f"\n  {key}: {value}" for key, value in defaults.items())
            preset = tmp_path / "tiny.yaml"
            plain = (editing_world / "tiny.yaml").read_text().replace("./", f"{editing_world}/")
            preset.write_text(plain + (f"\ndefaults:{told}\n" if told else ""))
            flags = ("--out", tmp_path / out, "--preset", preset, "--json")
            return run(name, editing_world / "pairs", *flags, *words)

        return command

    def test_edits_begun_under_another_choice_are_not_gone_on_with(self, world):
        words = ("--editor", "zestguide", *FEW)
        assert world("edit-images", "a", *words, tokens="end").code == 0
        same = world("edit-images", "a", *words, tokens="end", features="clip", senses="picture")
        assert same.code == 0, same.err
        for other in ({"tokens": "phrase"}, {}):
            outcome = world("edit-images", "a", *words, **other)
            assert "holds edits with other settings or data: give another" in outcome.error
        said = (*words, "--tokens", "phrase")
        assert world("edit-images", "b", *said, tokens="end").code == 0
        assert world("edit-images", "b", *said).code == 0

    def test_neither_is_an_evaluation(self, world, monkeypatch):
        more = ("--seeds", 0, "--edits", 2, "--features", "clip")
        layouts = ("--editors", "zestguide", "--strengths", 1.0, *FEW, *more)
        assert world("evaluate", "a", *layouts, tokens="end").code == 0
        outcome = world("evaluate", "a", *layouts)
        assert "holds edits by zestguide with other settings or weights" in outcome.error
        masks = ("--editors", "diffedit", "--encoding-ratios", 0.5, "--steps", 2, *more)
        assert world("evaluate", "b", *masks).code == 0
        assert world("evaluate", "b", *masks, tokens="end").code == 0
        monkeypatch.setitem(WAYS, "measured", WAYS["thesis"])
        outcome = world("evaluate", "b", *masks)
        assert "holds edits by diffedit with other settings or weights" in outcome.error
