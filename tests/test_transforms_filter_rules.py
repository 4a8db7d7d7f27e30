import pytest

from transforms.filter_rules import FilterRuleError, find_fault, read_rules


def rule(text, name="sharpness"):
    return read_rules([f"{name}={text}"])[name]


@pytest.mark.parametrize(
    ("text", "value", "passes"),
    [
        (">=2", 2.0, True),
        (">=2", 1.9, False),
        ("<=2", 2.1, False),
        ("<=2", "1.5", True),
        ("<=2", "UNSURE", False),
        ("<=2", None, False),
        ("<=2?", None, True),
        ("<=2?", 3, False),
    ],
)
def test_numbers_are_bounded(text, value, passes):
    assert rule(text).passes(value) is passes


@pytest.mark.parametrize(
    ("text", "value", "passes"),
    [
        ("CC0,CC-BY-4.0", "cc-by-4.0", True),
        ("CC0,CC-BY-4.0", "CC-BY-NC", False),
        ("CC0", None, False),
        ("CC0", "", False),
        ("CC0?", None, True),
        ("!NSFW,UNSURE", "UNLIKELY", True),
        ("!NSFW,UNSURE", "nsfw", False),
        ("!NSFW", None, False),
        ("!NSFW?", None, True),
    ],
)
def test_texts_are_listed(text, value, passes):
    assert rule(text, "licence").passes(value) is passes


def test_unsafe_content_may_be_a_word_or_a_number():
    assert rule("<=0.1", "nsfw").passes("0.03")
    assert not rule("<=0.1", "nsfw").passes("NSFW")


def test_languages_are_listed_and_similarities_bounded():
    assert rule("en,de", "language").passes("DE")
    assert not rule("en,de", "language").passes("fr")
    assert not rule(">=0.3", "similarity").passes(0.28)
    assert rule(">=0.3", "similarity").passes(0.3)


@pytest.mark.parametrize("languages", [["en", False], True])
def test_norwegian_is_no_truth(languages):
    with pytest.raises(FilterRuleError, match="filter language: a rule must be text"):
        read_rules([], {"language": languages})


def test_what_is_written_wins_over_the_table_and_none_takes_away():
    found = read_rules(["flat=<=0.9", "text=none"], {"flat": "<=0.5", "text": "<=0.5"})
    assert {name: each.text for name, each in found.items()} == {"flat": "<=0.9"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sharpness", "must be NAME=RULE"),
        ("beauty=>=1", "must be of one of licence, "),
        ("sharpness=>=x", "no number can be"),
        ("sharpness=high", "the rule must be >=N or <=N"),
        ("sharpness=", "the rule must be >=N or <=N"),
        ("licence=>=2", "no number can be"),
        ("language=<=2", "no number can be"),
        ("similarity=high", "the rule must be >=N or <=N"),
        ("licence=CC0,,CC-BY", "the rule must be"),
        ("sharpness=>=nan", "no number can be"),
    ],
)
def test_rules_that_say_nothing(text, said):
    with pytest.raises(FilterRuleError, match=said):
        read_rules([text])


def test_the_fault_names_value_and_rule():
    rules = read_rules(["width=>=512", "flat=<=0.5", "licence=CC0"])
    assert find_fault({"width": 64, "flat": 0.2, "licence": "CC0"}, rules) == (
        "width_filtered",
        "width must be >=512, got 64",
    )
    assert find_fault({"width": 600, "flat": 0.75, "licence": "CC0"}, rules) == (
        "flat_filtered",
        "flat must be <=0.5, got 0.75",
    )
    assert find_fault({"width": 600, "flat": 0.2}, rules) == (
        "licence_filtered",
        "licence must be CC0, got nothing known",
    )
    assert find_fault({"width": 600, "flat": 0.2, "licence": "cc0"}, rules) is None
