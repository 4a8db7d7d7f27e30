"""Which words show different things: what tells the pictures of two near-equal captions apart.

Where captions are joined nothing is put into a caption, so whether it fits need not be asked; but
two people may call one thing a field and grass, or a child and a boy. Words of one family, or of
families of one wide kind that exclude one another, show different things unless one is the other's
kind, or a list here says that they may be said of the same.
"""

from functools import lru_cache

from transforms.words.lexicon import AdjectiveSense, Lexicon, NounSense
from transforms.words.vocabulary import words

EXCHANGED_KINDS = words("animals vehicles furniture food scenery containers")
"""Of these wide kinds one thing stands where another could, whatever their families."""

PERSON, PERSONS = "person", "persons"
CREATURES = frozenset({PERSON, "animals"})
CREATURE = "creature"
"""Persons and animals stand in each other's place, too."""

_PEOPLE = "people person man woman boy girl child kid toddler baby lady guy gentleman"
_WATERS = "lake river pond stream creek ocean sea"

ALIKE = tuple(
    words(group)
    for group in (
        # Seen from where a photographer stands, one may be called the other.
        "grass field yard backyard lawn meadow pasture park garden hill hillside woods forest "
        "bush tree flower",
        "water pool swimming_pool",
        f"water beach mud {_WATERS}",
        "sand beach desert dirt gravel",
        "snow hill hillside mountain mountainside cliff",
        "hill hillside mountain mountainside cliff desert",
        "dirt mud gravel sand dirt_road road path field yard park hill hillside",
        "street city_street road dirt_road sidewalk driveway highway alley parking_lot path",
        "forest woods path tree bush park mountain mountainside",
        "park garden yard backyard lawn path sidewalk",
        f"{_PEOPLE} bride groom",
        "cyclist bicyclist biker motorcyclist",
        "skater skateboarder",
        "police_officer policeman policewoman soldier",
        "firefighter fireman",
        "hat cap baseball_cap cowboy_hat bonnet hood",
        "shirt t-shirt tshirt jersey blouse sweater sweatshirt vest pullover cardigan",
        "jacket coat sweater sweatshirt vest cardigan raincoat pullover",
        "dress gown skirt",
        "jeans trousers pants slacks",
        "glasses sunglasses goggles",
        "shoe boot sandal sneaker slipper",
        "backpack purse handbag",
        "chair armchair rocking_chair recliner",
        "sofa couch loveseat bench ottoman",
        "cup mug glass",
        "plate saucer dish tray platter",
        "table desk counter shelf",
        "bottle jar jug pitcher vase",
        "bucket tub barrel basin",
        "bike motorcycle motorbike moped scooter",
        "boat ship yacht canoe kayak rowboat",
        "car taxi cab jeep van minivan convertible",
        "truck pickup pickup_truck van jeep",
        "cow bull calf ox buffalo",
        "horse pony mule donkey foal",
        "sheep lamb goat",
        "bird seagull gull pigeon dove",
        "fox wolf",
        "rail railing fence wall ramp stairs steps hedge",
        "ball soccer_ball tennis_ball football soccer",
        "football soccer rugby",
        "food meat fruit bread",
    )
)
_OPEN = "field yard backyard lawn park garden woods forest path"

FOUND_IN = {
    "snow": words(f"{_OPEN} street city_street road dirt_road sidewalk alley parking_lot beach"),
    "grass": words("path sidewalk dirt_road"),
    "mud": words(_OPEN),
    "sand": words("yard park path"),
    **dict.fromkeys(words("water river pond stream creek lake"), words("woods forest park garden")),
    **dict.fromkeys(words("pool swimming_pool"), words("yard backyard park garden lawn")),
}
"""What a place may have in it or on it, by its entry: nothing speaks against snow on a field."""

_CHILDREN = words("child kid toddler baby")
_ADULTS = words("man woman lady guy gentleman")
_WOMEN = words("woman lady girl")
_PERSONS = _CHILDREN | _ADULTS | words("boy girl")

COVERED = {
    "snowy": "snow",
    "snow-covered": "snow",
    "snow covered": "snow",
    "icy": "snow",
    "grassy": "grass",
    "sandy": "sand",
    "muddy": "mud",
    "swampy": "water",
    "watery": "water",
    "wooded": "woods",
}
"""What a place has on it by an adjective: a snowy field is snow as well."""

NEAR_COLOURS = tuple(
    words(group)
    for group in (
        "brown tan beige golden",
        "tan beige yellow golden blonde blond",
        "tan beige white",
        "gray grey silver",
        "red maroon crimson scarlet",
        "purple violet",
        "blue teal turquoise",
        "green teal turquoise",
        "orange golden",
    )
)
"""Shades; the plain words for colours are told from one another."""


def listed_sense(lemma: str, lexicon: Lexicon) -> NounSense | None:
    """The sense that the table lists `lemma` in; None for a noun that nobody listed."""
    return next((one for one in lexicon.nouns.get(lemma, ()) if one.role != "known"), None)


def kind_of(sense: NounSense, lexicon: Lexicon) -> str:
    """What a noun is exchanged within: a wide kind where any of it stands for any, or a family."""
    wider = lexicon.wider.get(sense.family, "")
    if wider in CREATURES:
        return CREATURE
    return wider if wider in EXCHANGED_KINDS else sense.family


def nouns_differ(first: NounSense, second: NounSense, lexicon: Lexicon) -> bool:
    """Whether two listed nouns cannot be said of the same thing.

    A man may be a skier; persons differ within their family alone.
    """
    if first.synset == second.synset:
        return False
    kinds = [lexicon.wider.get(one.family, "") for one in (first, second)]
    if kinds == [PERSON, PERSON] and first.family != second.family:
        return False
    if second.synset in lexicon.ancestors(first.synset):
        return False
    if first.synset in lexicon.ancestors(second.synset):
        return False
    return not said_of_the_same(first.lemma, second.lemma)


@lru_cache(maxsize=65_536)
def said_of_the_same(first: str, second: str) -> bool:
    """Whether two entries of the table may be said of one thing, by `ALIKE` or `FOUND_IN`.

    Persons are told apart by their sex, and children from adults where neither word tells the sex
    of both: a girl of one caption is a young woman of another.
    """
    if first in _PERSONS and second in _PERSONS:
        if (first in _CHILDREN) != (second in _CHILDREN):
            return not {first, second} & _ADULTS
        return (first in _WOMEN) == (second in _WOMEN)
    if second in FOUND_IN.get(first, ()) or first in FOUND_IN.get(second, ()):
        return True
    return any(first in group and second in group for group in ALIKE)


def adjectives_differ(first: AdjectiveSense, second: AdjectiveSense) -> bool:
    """Whether two adjectives of one group, or opposites, differ to the eye."""
    if first.synset == second.synset or first.lemma == second.lemma:
        return False
    return not any(first.lemma in near and second.lemma in near for near in NEAR_COLOURS)
