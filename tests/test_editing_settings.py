"""Settings: what a dataclass tells of itself, how words become values, and what is refused."""

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal

import pytest
from fakes.settings import OvenSettings

from editing.errors import EditingError, SettingError
from editing.regions.registry import REGIONS
from editing.registry import EDITORS
from editing.settings import NoSettings, Setting, describe_settings, make_settings, setting
from editing.training.loop_settings import LoopSettings
from editing.training.pair_settings import PairSettings

FACTS = {each.name: each for each in describe_settings(OvenSettings)}


class TestFacts:
    def test_they_come_in_the_dataclass_s_order(self):
        assert list(FACTS) == ["degrees", "share", "heat_from", "minutes", "fan", "dough"]

    def test_they_say_all_that_a_flag_is_made_of(self):
        assert FACTS["degrees"] == Setting(
            name="degrees",
            kind=int,
            default=180,
            meaning="heat in C, at least 0",
            flag="degrees",
            metavar="C",
            optional=False,
            choices=(),
        )

    def test_a_flag_is_the_name_with_dashes_or_what_was_given(self):
        assert (FACTS["heat_from"].flag, FACTS["share"].flag) == ("heat-from", "part")
        assert FACTS["share"].metavar is None

    def test_choices_are_those_of_a_literal(self):
        assert FACTS["heat_from"].choices == ("top", "bottom")
        assert FACTS["heat_from"].kind is str
        assert all(not each.choices for name, each in FACTS.items() if name != "heat_from")

    def test_what_may_be_none_says_so(self):
        assert [name for name, each in FACTS.items() if each.optional] == ["minutes"]
        assert FACTS["minutes"].kind is float

    def test_choices_may_be_none_too(self):
        hint = Literal["a", "b"] | None
        kind = dataclasses.make_dataclass("Kind", [("way", hint, setting("x", default=None))])
        (found,) = describe_settings(kind)
        assert (found.choices, found.optional, found.kind) == (("a", "b"), True, str)
        assert found.read("none") is None

    def test_there_may_be_none_at_all(self):
        assert describe_settings(NoSettings) == ()


class TestNumbers:
    @pytest.mark.parametrize("words", ["inf", "-inf", "nan", "1e999", "Infinity", "NaN"])
    def test_what_is_infinite_or_no_number_is_refused(self, words):
        with pytest.raises(SettingError, match="minutes must be a finite number, got"):
            FACTS["minutes"].read(words)
        with pytest.raises(SettingError, match="minutes must be a finite number, got"):
            make_settings(OvenSettings, {"minutes": float(words)}, owner="oven")

    def test_long_words_are_cut(self):
        with pytest.raises(SettingError) as caught:
            FACTS["degrees"].read("9" * 100_000)
        assert len(str(caught.value)) < 120


class TestNotSettings:
    def test_a_field_that_setting_did_not_make(self):
        @dataclass(frozen=True)
        class Bare:
            plain: int = 1

        with pytest.raises(TypeError, match=r"the setting plain must be made by editing.settings"):
            describe_settings(Bare)

    @pytest.mark.parametrize("hint", [list[int], int | str, Literal[1, 2], Any, None])
    def test_a_field_of_no_plain_type(self, hint):
        kind = dataclasses.make_dataclass("Kind", [("odd", hint, setting("x", default=1))])
        with pytest.raises(TypeError, match="the setting odd must be a number, a word or a truth"):
            describe_settings(kind)


class TestRead:
    @pytest.mark.parametrize(
        ("name", "words", "value"),
        [
            ("degrees", "200", 200),
            ("degrees", "-3", -3),
            ("share", "0.25", 0.25),
            ("share", "1", 1.0),
            ("heat_from", "bottom", "bottom"),
            ("minutes", "none", None),
            ("minutes", "1e2", 100.0),
            ("fan", "true", True),
            ("fan", "false", False),
            ("dough", "none", "none"),
        ],
    )
    def test_words_become_values_of_the_setting_s_kind(self, name, words, value):
        found = FACTS[name].read(words)
        assert found == value
        assert type(found) is type(value)

    @pytest.mark.parametrize(
        ("name", "words", "rule"),
        [
            ("degrees", "1.5", "degrees must be a whole number, got '1.5'"),
            ("degrees", "none", "degrees must be a whole number, got 'none'"),
            ("share", "much", "share must be a number, got 'much'"),
            ("heat_from", "side", "heat_from must be one of top, bottom, got 'side'"),
            ("heat_from", "none", "heat_from must be one of top, bottom, got 'none'"),
            ("minutes", "long", "minutes must be a number, got 'long'"),
            ("fan", "yes", "fan must be true or false, got 'yes'"),
            ("fan", "1", "fan must be true or false, got '1'"),
        ],
    )
    def test_words_that_stand_for_nothing(self, name, words, rule):
        with pytest.raises(SettingError) as caught:
            FACTS[name].read(words)
        assert str(caught.value) == rule


class TestMake:
    def test_values_take_the_place_of_defaults(self):
        made = make_settings(OvenSettings, {"degrees": 90, "fan": True}, owner="oven")
        assert made == OvenSettings(degrees=90, fan=True)
        assert make_settings(OvenSettings, {}, owner="oven") == OvenSettings()

    def test_an_unknown_name_is_told_with_those_there_are(self):
        with pytest.raises(SettingError) as caught:
            make_settings(OvenSettings, {"degrees": 1, "colour": 1}, owner="oven")
        assert str(caught.value) == (
            "oven has no setting colour; it has degrees, share, heat_from, minutes, fan, dough"
        )

    def test_a_foreign_one_is_refused_where_there_is_none(self):
        with pytest.raises(SettingError, match=r"^copy has no setting degrees; it has none$"):
            make_settings(NoSettings, {"degrees": 1}, owner="copy")

    def test_a_value_that_breaks_a_rule_is_a_setting_s_error(self):
        with pytest.raises(SettingError, match=r"^degrees must be at least 0, got -1$") as caught:
            make_settings(OvenSettings, {"degrees": -1}, owner="oven")
        assert isinstance(caught.value, EditingError)

    def test_an_error_of_a_setting_passes_as_it_is(self):
        @dataclass(frozen=True)
        class Strict:
            way: str = setting("x", default="")

            def __post_init__(self):
                raise refused

        refused = SettingError("never")
        with pytest.raises(SettingError) as caught:
            make_settings(Strict, {}, owner="x")
        assert caught.value is refused


REGISTERED = {
    **{name: spec.settings for name, spec in EDITORS.items()},
    **{f"{n} trained": spec.recipe.settings for n, spec in EDITORS.items() if spec.recipe},
    **{f"regions {name}": spec.settings for name, spec in REGIONS.items()},
    "loop": LoopSettings,
    "pairs": PairSettings,
}


@pytest.mark.parametrize("owner", REGISTERED)
def test_every_settings_class_of_ours_follows_the_rules(owner):
    kind = REGISTERED[owner]
    facts = describe_settings(kind)
    values = kind()
    assert kind.__dataclass_params__.frozen
    assert len({each.flag for each in facts}) == len(facts)
    for each in facts:
        assert getattr(values, each.name) == each.default
        assert each.read(str(each.default).lower()) == each.default
