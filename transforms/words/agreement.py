"""What the other words of a caption ask of a substitute: its number, sex and age, and its room."""

from transforms.words.plausibility import CHILDREN
from transforms.words.vocabulary import words

# Words for men, each with the like word for women, where both are in the table.
_MALE = words(
    "male man boy guy gentleman king prince waiter groom bridegroom monk policeman father dad "
    "grandfather son businessman"
)
_FEMALE = words(
    "female woman girl lady queen princess waitress bride nun policewoman mermaid mother mom "
    "grandmother daughter businesswoman"
)
_BEARDS = words("beard bearded mustache moustache goatee")
_HE = words("he him his himself shirtless") | _BEARDS
_SHE = words("she her hers herself pregnant bikini bikinis bra dress gown skirt")
_ADULTS = words("man woman")
_SMALL = words("little tiny toddling")
_KIN = words(
    "son daughter sons daughters wife husband mother father parents girlfriend boyfriend "
    "grandfather grandmother dad mom fiancé fiancée engagement wedding"
)
_AGE = words("year years yr yrs month months")

_COUNTING = words("one another others both first second third pair couple single dozen")
_COUNTED = words("two three four five six seven eight nine ten")


def numbers_allow(context: frozenset[str]) -> bool:
    """Whether a number may change: no other word of the caption counts the same things."""
    apart = "other" in context and "each" not in context
    return not apart and not context & _COUNTING and len(context & (_COUNTED | {"several"})) == 1


# What stands in a room of one kind and in no other.
_FIXTURES = {
    "bathroom": words("toilet shower bathtub tub urinal toilets sink towel towels"),
    "kitchen": words("stove refrigerator oven fridge microwave dishwasher cooking stoves ovens"),
    "bedroom": words("bed beds pillow pillows"),
    "living_room": words("sofa couch fireplace couches sofas"),
}


def fixtures_allow(old: str, context: frozenset[str]) -> bool:
    """Whether a room may be another: the caption tells nothing that stands in its kind alone."""
    return not context & _FIXTURES.get(old, frozenset())


def sex_allows(old: str, new: str, context: frozenset[str]) -> bool:
    """Whether `new` fits what the caption's words say of the sex of `old`: no woman and "his"."""
    if new in _MALE and old not in _MALE and context & _SHE:
        return False
    return not (new in _FEMALE and old not in _FEMALE and context & _HE)


def age_allows(old: str, new: str, context: frozenset[str]) -> bool:
    """Whether `new` fits what the caption's words say of the age of `old`: no little man."""
    if (old in CHILDREN) == (new in CHILDREN) or old not in CHILDREN | _ADULTS:
        return True
    if context & _KIN:
        return False
    if new in _ADULTS:
        return not context & (_AGE | _SMALL)
    return not context & (_AGE | _BEARDS | {"pregnant"})
