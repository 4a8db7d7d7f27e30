import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.sources.sorted_texts import SortedTexts, in_order


@settings(max_examples=50, deadline=None)
@given(
    puts=st.lists(st.tuples(st.text(max_size=3), st.text(max_size=5))),
    held=st.sampled_from([0, 3, 1000]),
)
def test_it_is_a_sorted_dictionary_however_few_texts_are_held(puts, held):
    texts, plain = SortedTexts(held=held), {}
    for name, text in puts:
        texts.put(name, text)
        plain[name] = text
    assert list(texts) == sorted(plain)
    assert list(texts.in_order()) == list(in_order(plain)) == sorted(plain.items())
    assert len(texts) == len(plain)
    assert texts == plain
    assert all(texts[name] == text for name, text in plain.items())


@pytest.mark.parametrize("held", [0, 1000])
def test_what_is_not_there_is_an_error(held):
    texts = SortedTexts(held=held)
    texts.put("here", "a")
    texts.put("\ud800", "half a pair")
    assert "here" in texts
    assert "gone" not in texts
    assert texts["\ud800"] == "half a pair"
    with pytest.raises(KeyError, match="gone"):
        texts["gone"]


def test_two_may_read_it_at_once():
    texts = SortedTexts(held=2)
    for number in range(100):
        texts.put(f"{number:03d}", str(number))
    pairs = zip(texts.in_order(), texts.in_order(), strict=True)
    assert all(one == other for one, other in pairs)
