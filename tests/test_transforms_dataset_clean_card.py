from transforms.dataset.clean_card import (
    allowed_licences,
    cleanings,
    licence_words,
    source_filter_lines,
)


def cleaned(*filters):
    """A configuration that was cleaned with these rules, one after another."""
    said = None
    for rules in filters:
        said = {"filters": rules, "before": said}
    return {"clean": said} if said else {}


def test_cleanings_are_told_in_their_order():
    found = cleanings(cleaned({"flat": "<=1"}, {"text": "<=1"}))
    assert [list(each["filters"]) for each in found] == [["flat"], ["text"]]
    assert cleanings({}) == []


def test_only_lists_of_what_may_be_are_licences():
    assert allowed_licences(cleaned({"licence": "CC0, CC-BY-4.0"})) == ["CC0", "CC-BY-4.0"]
    for rule in ("!CC-BY-NC", "CC0?"):
        assert allowed_licences(cleaned({"licence": rule})) == []
    assert licence_words({}) == ""


def test_two_lists_leave_what_both_allow():
    both = cleaned({"licence": "CC0,CC-BY-4.0"}, {"licence": "CC-BY-4.0,MIT"})
    assert allowed_licences(both) == ["CC-BY-4.0"]
    assert licence_words(both) == " All are of this list: CC-BY-4.0."


def test_what_is_read_by_licence_is_a_list_where_both_sides_have_one():
    free = {"source_filters": {"licence": "CC0", "language": "en"}}
    more = {"source_filters": {"licence": "CC0,CC-BY-4.0"}}
    assert allowed_licences({"options": free}) == []
    assert allowed_licences({"options": free, "index": more}) == ["CC0", "CC-BY-4.0"]
    both = {"options": free, "index": more, **cleaned({"licence": "CC-BY-4.0,MIT"})}
    assert allowed_licences(both) == ["CC-BY-4.0"]
    assert source_filter_lines({"options": free, "index": {}}) == [
        "Pictures of the sources were read only with `language`: `en`.",
        "Pictures of the sources were read only with `licence`: `CC0`.",
    ]
    assert source_filter_lines({"options": None}) == []


def test_a_card_without_cleaning_says_nothing_of_it(small_dataset):
    card = (small_dataset / "README.md").read_text()
    assert "Cleaning" not in card
