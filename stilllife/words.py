"""The words of the world. Every family is a set of first-sense co-hyponyms in WordNet 3.0."""

FAMILIES: dict[str, tuple[str, ...]] = {
    "edible_fruit.n.01": ("apple", "pear", "melon"),
    "vessel.n.03": ("bottle", "bowl", "bucket"),
    "seat.n.03": ("chair", "sofa", "stool"),
    "motor_vehicle.n.01": ("car", "truck"),
    "public_transport.n.01": ("bus", "train"),
}
NOUNS: tuple[str, ...] = tuple(noun for family in FAMILIES.values() for noun in family)
COLOURS: tuple[str, ...] = ("red", "yellow", "green", "blue", "purple", "pink")
SIZES: tuple[str, ...] = ("small", "large")
BACKGROUNDS: tuple[str, ...] = ("plain", "patterned")
SIDES: tuple[str, ...] = ("left", "right")


def family_of(noun: str) -> str:
    """The synset that `noun` and its co-hyponyms share; KeyError for a noun not of this world."""
    for synset, nouns in FAMILIES.items():
        if noun in nouns:
            return synset
    raise KeyError(f"{noun!r} is not a noun of the still life")


def is_held_out(noun: str, colour: str, size: str) -> bool:
    """Whether no training picture shows `noun` in `colour` at `size`.

    Two colours of each noun, each at one size: 26 of the 156 combinations, 16.7%, spread evenly
    over nouns, colours and sizes. Training does show the noun in the colour at the other size.
    """
    row, column = NOUNS.index(noun), COLOURS.index(colour)
    step = (column - row * 2) % len(COLOURS)
    return step in (0, 3) and SIZES.index(size) == (row + (step == 3)) % len(SIZES)
