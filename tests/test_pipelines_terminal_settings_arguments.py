"""Flags made from settings dataclasses: one flag for all who have it, each reads it for itself."""

import argparse
from dataclasses import dataclass
from typing import Literal

import pytest

from editing.settings import setting
from pipelines.terminal.console import CommandError
from pipelines.terminal.settings_arguments import GivenSettings, add_set_flag, add_settings_flags


@dataclass(frozen=True)
class Brush:
    size: int = setting("width in pixels", default=3)
    way: Literal["up", "down"] = setting("where it goes", default="up")
    soft: bool = setting("no hard edge", default=False)


@dataclass(frozen=True)
class Spray:
    size: float = setting("share of the side, 1 is 100 %", default=0.5)
    way: Literal["round", "flat"] = setting("what it is like", default="flat")
    limit: float | None = setting("no more than this", default=None, metavar="MOST")

    def __post_init__(self):
        if not self.size > 0:
            raise ValueError(f"size must be above 0, got {self.size}")


@dataclass(frozen=True)
class Roller:
    turns: int = setting("how often", default=2, flag="size")


OWNERS = {"brush": Brush, "spray": Spray, "roller": Roller}


def parser():
    made = argparse.ArgumentParser()
    add_settings_flags(made, OWNERS, title="settings of")
    add_set_flag(made)
    return made


def given(*words):
    return GivenSettings(parser().parse_args([str(word) for word in words]), OWNERS)


def hand_out(words, used):
    one = given(*words)
    for owner in used:
        one.make(owner)
    one.refuse_foreign(used)


def refused(*words, used):
    with pytest.raises(CommandError) as caught:
        hand_out(words, used)
    assert caught.value.exit_code == 2
    return str(caught.value)


class TestFlags:
    def test_nothing_given_is_the_defaults(self):
        one = given()
        assert [one.make(owner) for owner in OWNERS] == [Brush(), Spray(), Roller()]

    def test_each_owner_reads_a_shared_flag_as_its_own_kind(self):
        one = given("--size", 4)
        values = [one.make("brush").size, one.make("spray").size, one.make("roller").turns]
        assert values == [4, 4.0, 4]
        assert list(map(type, values)) == [int, float, int]

    def test_a_value_that_one_of_them_reads_is_no_error_of_the_others(self):
        one = given("--size", 0.25, "--way", "round")
        assert one.make("spray") == Spray(size=0.25, way="round")
        assert refused("--size", 0.25, used=["brush"]) == "size must be a whole number, got '0.25'"
        rule = "way must be one of up, down, got 'round'"
        assert refused("--way", "round", used=["brush"]) == rule

    @pytest.mark.parametrize(
        ("words", "rule"),
        [
            (("--size", "big"), "argument --size: size must be a whole number, got 'big'"),
            (("--way", "left"), "argument --way: way must be one of up, down, got 'left'"),
        ],
    )
    def test_a_value_that_nobody_reads(self, capsys, words, rule):
        with pytest.raises(SystemExit) as left:
            parser().parse_args(list(words))
        assert left.value.code == 2
        assert rule in capsys.readouterr().err

    def test_none_where_there_may_be_none(self):
        assert given("--limit", "none").make("spray").limit is None
        assert given("--limit", 2).make("spray").limit == 2.0
        both = given("--limit", 2, "--set", "limit=none")
        assert both.make("spray").limit is None

    def test_a_truth_value_is_a_flag_with_an_opposite(self):
        assert given("--soft").make("brush").soft is True
        assert given("--no-soft").make("brush").soft is False
        assert given("--set", "soft=true").make("brush").soft is True

    def test_a_rule_that_is_broken(self):
        assert refused("--size", 0, used=["spray"]) == "size must be above 0, got 0.0"

    def test_settings_that_are_left_out_have_no_flag(self):
        made = argparse.ArgumentParser()
        add_settings_flags(made, OWNERS, title="of", left_out={("spray", "limit")})
        with pytest.raises(SystemExit):
            made.parse_args(["--limit", "1"])
        assert made.parse_args(["--size", "1"])


class TestHelp:
    def test_groups_are_by_who_has_a_flag(self):
        text = parser().format_help()
        groups = [line for line in text.splitlines() if line.startswith("settings of ")]
        assert groups == [
            "settings of brush, spray, roller:",
            "settings of brush, spray:",
            "settings of brush:",
            "settings of spray:",
        ]

    def test_a_flag_says_what_it_is_to_each(self):
        text = " ".join(parser().format_help().split())
        assert (
            "--size SIZE width in pixels; share of the side, 1 is 100 %; how often "
            "(default brush 3, spray 0.5, roller 2)"
        ) in text
        assert "--way {up,down,round,flat} where it goes; what it is like" in text
        assert "--limit MOST no more than this (default none)" in text
        assert "--soft, --no-soft no hard edge (default no)" in text
        assert "SETTING:" not in text


class TestSet:
    def test_one_setting_of_all_that_have_it(self):
        one = given("--set", "size=5")
        assert (one.make("brush").size, one.make("spray").size) == (5, 5.0)
        assert one.make("roller").turns == 2

    def test_one_setting_of_one_owner(self):
        one = given("--set", "size=5", "--set", "spray.size=0.1", "--size", 9)
        assert (one.make("brush").size, one.make("spray").size) == (5, 0.1)
        assert one.make("roller").turns == 9

    @pytest.mark.parametrize(
        ("words", "rule"),
        [
            ("length=3", "--set length=3: nothing has a setting length"),
            ("brush.limit=3", "--set brush.limit=3: brush has no setting limit"),
            (
                "pen.size=3",
                "--set must be [NAME.]SETTING=VALUE with a NAME of brush, spray, roller, "
                "got 'pen.size=3'",
            ),
            (
                "size",
                "--set must be [NAME.]SETTING=VALUE with a NAME of brush, spray, roller, "
                "got 'size'",
            ),
            ("size=big", "size must be a whole number, got 'big'"),
            ("soft=perhaps", "soft must be true or false, got 'perhaps'"),
            ("brush.way=left", "way must be one of up, down, got 'left'"),
        ],
    )
    def test_what_cannot_be_set(self, words, rule):
        assert refused("--set", words, used=["brush"]) == rule


class TestForeign:
    @pytest.mark.parametrize(
        ("words", "used", "rule"),
        [
            (
                ("--limit", "1"),
                ["brush"],
                "--limit is a setting of spray; brush has size, way and soft",
            ),
            (
                ("--soft",),
                ["spray", "roller"],
                "--soft is a setting of brush; spray and roller have size, way and limit",
            ),
            (("--way", "up"), ["roller"], "--way is a setting of brush and spray; roller has size"),
            (
                ("--set", "turns=1"),
                ["brush"],
                "--set turns is a setting of roller; brush has size, way and soft",
            ),
            (
                ("--set", "spray.size=1"),
                ["brush", "roller"],
                "--set spray.size: spray is not used here, brush and roller are",
            ),
        ],
    )
    def test_a_setting_of_nobody_that_is_used(self, words, used, rule):
        assert refused(*words, used=used) == rule

    def test_one_that_is_used_is_no_error(self):
        given("--size", 1, "--set", "spray.limit=1").refuse_foreign(["brush", "spray"])
