import pytest

from transforms.words.gate import MOST_CHARACTERS, MOST_WORDS, why_no_caption


@pytest.mark.parametrize(
    "caption",
    [
        "two dogs",
        "A man riding a brown horse on the beach .",
        "A tractor pulling a trailer",
        "woman with a basket , isolated on a white background",
        "THERE ARE CITY BUSES ON THE STREET",
        "A boy is standing next to a road where the cars are parked",
        "Three teen boys playing basketball",
    ],
)
def test_captions_pass(caption):
    assert why_no_caption(caption) == ""


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("chair", "2 to"),
        ("a dog " * MOST_WORDS, "2 to"),
        ("x" * (MOST_CHARACTERS + 1), "characters"),
        ("IMG_2034.jpg of a house", "file or a site"),
        ("a dress see https://shop and more", "address"),
        ("a red dress for $ 20", "price"),
        ('"be yourself" - a wise man', "quotes"),
        ("is this a dog or a cat ?", "asks"),
        ("how to choose a car for the family", "advises"),
        ("check out this gown", "advises"),
        ("the coat you should add to the closet", "reader"),
        ("saw this sky on my way home", "reader"),
        ("lucky dog for sale", "sells"),
        ("dress gown fashion party evening style summer women", "strings words"),
        ("the team never wins because it rained", "judges"),
        ("the guard said that both men left the room", "news"),
        ("the first steps were taken on a moon", "tells what was"),
        ("heavy rain -- the city in winter", "headline"),
        ("12 of 30 in 1999 and 2004 at the shop", "figures"),
    ],
)
def test_other_texts_are_told(text, rule):
    assert rule in why_no_caption(text)
