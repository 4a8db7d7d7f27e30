"""Which exchanges could be seen in a picture: what WordNet's relations do not say.

WordNet opposes "old" to "young" and to "new" alike; only the noun tells which is meant. It makes
blue a co-hyponym of brown, and still no hair turns blue. The rules are about kinds of things
(WordNet ancestors), not about single sentences.
"""

from dataclasses import dataclass

from transforms.words.lexicon import AdjectiveSense, Lexicon, Substitute
from transforms.words.vocabulary import is_colour_word, words

# Where a noun may have only some colours: (any of these ancestors, the colours). The first entry
# that fits counts. An empty set means that its colour is never changed.
COLOUR_RANGES: tuple[tuple[frozenset[str], frozenset[str]], ...] = (
    (frozenset({"person.n.01"}), frozenset()),
    (frozenset({"bird.n.01", "insect.n.01", "fish.n.01"}), frozenset({"*"})),
    (frozenset({"hair.n.01"}), words("black brown gray red white")),
    (frozenset({"eye.n.01"}), words("blue green brown gray")),
    (frozenset({"cat.n.01"}), words("black white brown gray orange")),
    (frozenset({"animal.n.01"}), words("black white brown gray")),
    (frozenset({"edible_fruit.n.01"}), words("red green yellow purple pink")),
    (frozenset({"vegetable.n.01"}), words("red green yellow orange purple white")),
    (frozenset({"cake.n.03", "candy.n.01", "frozen_dessert.n.01"}), frozenset({"*"})),
    (frozenset({"wine.n.01"}), frozenset({"red", "white"})),
    (frozenset({"food.n.01", "food.n.02"}), frozenset()),
    (frozenset({"sky.n.01"}), words("blue gray orange pink purple")),
    (
        frozenset({"flower.n.01", "flower.n.02"}),
        words("red yellow pink purple white blue"),
    ),
    (frozenset({"leaf.n.01", "tree.n.01"}), words("green red yellow brown orange")),
    (frozenset({"grass.n.01", "field.n.01"}), words("green brown yellow")),
    (frozenset({"body_part.n.01", "plant.n.02", "geological_formation.n.01"}), frozenset()),
    (
        frozenset({"body_of_water.n.01", "precipitation.n.03", "atmospheric_phenomenon.n.01"}),
        frozenset(),
    ),
    (frozenset({"artifact.n.01", "background.n.99"}), frozenset({"*"})),
)
# A blue apple is no real one: it is painted, or made of wax, and may have any other colour.
PAINTED = frozenset({"edible_fruit.n.01", "vegetable.n.01", "flower.n.01"})
BACKGROUND = "background"
SHADES = words("dark light bright pale deep")
CHILDREN = words("boy girl child kid baby toddler infant teenager teen son daughter")
OPENABLE = words(
    "door window umbrella parasol book laptop box drawer mouth eye gate suitcase curtain "
    "cabinet refrigerator fridge oven bag notebook tent hatch trunk closet shutter"
)
CURLY = frozenset({"hair", "fur", "beard", "mane", "tail"})

LIVING = frozenset({"person.n.01", "animal.n.01", "plant.n.02"})
CREATURES = frozenset({"person.n.01", "animal.n.01"})
GROUNDS = frozenset({"location.n.01", "geological_formation.n.01", "way.n.06", "object.n.01"})
PLACES = frozenset({"location.n.01", "way.n.06", "structure.n.01", "area.n.05", "room.n.01"})
WEATHERED = words("day morning afternoon evening weather sky")
THINGS = frozenset({"artifact.n.01"})
TALL_THINGS = frozenset(
    {"person.n.01", "plant.n.02", "structure.n.01", "glass.n.02", "bottle.n.01"}
)
LONG_THINGS = frozenset(
    {"hair.n.01", "body_part.n.01", "clothing.n.01", "way.n.06", "table.n.02", "bench.n.01"}
)
HOLDERS = frozenset({"container.n.01", "crockery.n.01", "refrigerator.n.01", "room.n.01"})
SHADED = frozenset({"clothing.n.01", "furniture.n.01", "hair.n.01", "wall.n.01", "floor.n.01"})
FLUIDS = frozenset({"substance.n.01", "substance.n.07", "fluid.n.01", "weather.n.01"})


@dataclass(frozen=True)
class Described:
    """The noun an adjective describes: its entry in the table and everything above its sense."""

    lemma: str
    ancestors: frozenset[str]


# For (adjective, substitute): the noun must be below one of the first set, or be one of the words
# of the second. What is not named here fits everywhere.
_ONLY: dict[tuple[str, str], tuple[frozenset[str], frozenset[str]]] = {
    ("old", "young"): (LIVING, frozenset()),
    ("old", "new"): (THINGS, frozenset()),
    ("young", "old"): (LIVING, frozenset()),
    ("new", "old"): (THINGS, frozenset()),
    ("short", "tall"): (TALL_THINGS, frozenset()),
    ("tall", "short"): (TALL_THINGS | THINGS, frozenset()),
    ("short", "long"): (LONG_THINGS, frozenset({"tail", "leash", "rope"})),
    ("long", "short"): (LONG_THINGS | THINGS, frozenset({"tail"})),
    ("thin", "fat"): (CREATURES, frozenset()),
    ("fat", "thin"): (CREATURES, frozenset()),
    ("thin", "thick"): (THINGS | {"food.n.02", "food.n.01", "hair.n.01"}, frozenset()),
    ("thick", "thin"): (THINGS | {"food.n.02", "food.n.01", "hair.n.01"}, frozenset()),
    ("straight", "curly"): (frozenset(), CURLY),
    ("curly", "straight"): (frozenset(), CURLY),
    ("straight", "curved"): (THINGS, frozenset({"line"})),
    ("open", "closed"): (frozenset(), OPENABLE),
    ("closed", "open"): (frozenset(), OPENABLE),
    ("full", "empty"): (HOLDERS, frozenset()),
    ("empty", "full"): (HOLDERS - {"room.n.01"}, frozenset()),
    ("dark", "light"): (SHADED, frozenset({BACKGROUND, "wood"})),
    ("light", "dark"): (SHADED, frozenset({BACKGROUND, "wood"})),
    ("male", "female"): (CREATURES, frozenset()),
    ("female", "male"): (CREATURES, frozenset()),
    ("happy", "unhappy"): (CREATURES, frozenset({"face"})),
    ("cloudy", "clear"): (frozenset(), frozenset({"sky"})),
    ("clear", "cloudy"): (frozenset(), frozenset({"sky"})),
    ("indoor", "outdoor"): (THINGS, frozenset()),
    ("outdoor", "indoor"): (THINGS, frozenset()),
    ("round", "square"): (THINGS - {"clothing.n.01"}, frozenset()),
    ("square", "round"): (THINGS, frozenset()),
    ("full", "thin"): (frozenset(), frozenset()),
    ("thin", "full"): (frozenset(), frozenset()),
    ("wide", "narrow"): (frozenset({"way.n.06", "body_of_water.n.01"}), frozenset({"door"})),
}
_AGES = {("young", "old"), ("old", "young"), ("older", "young"), ("elderly", "young")}
# Those whose age their name tells, or who are old in another sense.
_AGELESS = words(
    "brother sister friend mother father parent mom dad grandmother grandfather couple"
)
_SIZES = words("small large little big huge tiny giant enormous")


def adjective_fits(
    sense: AdjectiveSense,
    substitute: Substitute,
    noun: Described,
    *,
    before: str = "",
    after: str = "",
) -> bool:
    """Whether the noun could be seen with either adjective.

    Args:
        sense: the adjective in the caption.
        substitute: what would take its place.
        noun: what it describes.
        before: the word right before the adjective, in lower case; there is no "dark white".
        after: the word right after it; in "dark blue" it is the colour that is dark.
    """
    pair = (sense.lemma, substitute.lemma)
    if sense.group == "colour":
        if before in SHADES and substitute.lemma in ("black", "white"):
            return False
        return _colour_fits(sense.lemma, substitute.lemma, noun)
    if pair in (("dark", "light"), ("light", "dark")) and is_colour_word(after):
        return True
    if is_colour_word(after) and sense.lemma not in _SIZES and sense.lemma not in ("old", "new"):
        return pair not in _ONLY or _kind_fits(pair, noun)
    if sense.group in ("number", "hair"):
        return True
    if pair in _AGES and (noun.lemma in _AGELESS or "young_mammal.n.01" in noun.ancestors):
        return False
    if sense.group == "age":
        return bool(noun.ancestors & {"person.n.01", "people.n.01"}) and noun.lemma not in CHILDREN
    if sense.group == "weather":
        return noun.lemma in WEATHERED
    if sense.group == "period":
        return bool(noun.ancestors & (THINGS | PLACES))
    if sense.group == "bustle":
        return bool(noun.ancestors & PLACES)
    if sense.group in ("material", "ground"):
        return bool(noun.ancestors & THINGS) or bool(noun.ancestors & GROUNDS)
    if sense.group or substitute.lemma in ("patterned", "plain"):
        return bool(noun.ancestors & THINGS) or noun.lemma == BACKGROUND
    if noun.lemma == BACKGROUND and pair not in _ONLY:
        return False
    if noun.lemma in CHILDREN and (
        sense.lemma in _SIZES or pair in (("young", "old"), ("old", "young"))
    ):
        return False
    if sense.lemma in _SIZES and (noun.ancestors & FLUIDS or noun.lemma in CURLY):
        return False
    return pair not in _ONLY or _kind_fits(pair, noun)


def _kind_fits(pair: tuple[str, str], noun: Described) -> bool:
    kinds, lemmas = _ONLY[pair]
    return bool(noun.ancestors & kinds) or noun.lemma in lemmas


def colour_suits(colour: str, noun: Described) -> bool:
    """Whether `noun` is seen in that colour; no colour is wrong for what the rules do not know."""
    for kinds, colours in COLOUR_RANGES:
        if noun.ancestors & kinds:
            return not colours or "*" in colours or colour in colours
    return True


def _colour_fits(old: str, new: str, noun: Described) -> bool:
    """Whether `noun` comes in colour `new`; where `old` is already unnatural, any colour does."""
    if noun.lemma == BACKGROUND:
        return True
    for kinds, colours in COLOUR_RANGES:
        if noun.ancestors & kinds:
            if "*" in colours:
                return True
            painted = old not in colours and bool(noun.ancestors & PAINTED)
            return new in colours or painted
    return False


def describe_noun(lemma: str, synset: str, lexicon: Lexicon) -> Described:
    """The noun as the rules see it."""
    return Described(lemma, lexicon.ancestors(synset))


ANIMATE = frozenset({"person.n.01", "animal.n.01"})


# What some verbs ask of the noun before or after them: no hamster barks, nobody rides a goat.
_RIDDEN = words(
    "horse donkey camel elephant mule pony bicycle motorcycle scooter tricycle bus train boat"
)
_OBJECTS = {
    **dict.fromkeys(("ride", "rides", "riding", "rode"), _RIDDEN),
    **dict.fromkeys(("walk", "walks", "walking"), frozenset({"dog"})),
    **dict.fromkeys(("milking", "milks"), frozenset({"cow", "goat", "sheep"})),
}
_FLIERS = frozenset({"aircraft.n.01", "bird.n.01", "insect.n.01"})
_GROUNDED = words("chicken turkey peacock penguin ostrich ant beetle grasshopper")
_FLY = words("fly flies flying flew soaring soars")
_HOVER = words("hover hovers hovering hovered")
_VOICES = words("bark barks barking meows meowing neighing mooing bleating quacking")


def verbs_allow(target: str, ancestors: frozenset[str], *, before: str, after: str) -> bool:
    """Whether `target` can do or undergo what the caption says of the noun it replaces.

    Args:
        target: the substitute's entry.
        ancestors: everything above its sense.
        before: the verb it would be the object of, in lower case, or nothing.
        after: the word right after it, in lower case.
    """
    if before in _OBJECTS and target not in _OBJECTS[before]:
        return False
    if after in _VOICES or (after in _HOVER and "insect.n.01" not in ancestors):
        return False
    return after not in _FLY or (bool(ancestors & _FLIERS) and target not in _GROUNDED)


_ON = words(
    "beach street city_street road dirt_road sidewalk path trail highway driveway hill hillside "
    "mountain cliff lawn"
)
_IN = words(
    "field park forest woods meadow pasture yard backyard garden desert parking_lot alley kitchen "
    "bedroom bathroom living_room dining_room"
)


def preposition_allows(old: str, new: str, before: str) -> bool:
    """Whether `new` stands after the preposition `before` as `old` does, as a beach after "on"."""
    if before == "on" and old in _ON:
        return new not in _IN
    if before in ("in", "inside") and old in _IN:
        return new not in _ON
    return True
