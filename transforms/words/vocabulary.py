"""Closed lists of English words that the tagging and sense rules go by."""


def words(text: str) -> frozenset[str]:
    """The words of `text`, which blanks part."""
    return frozenset(text.split())


DETERMINERS = words("a an the this that these those his her its their my your our")
SINGULAR_DETERMINERS = words("a an one each every another")
NUMBERS = words(
    "two three four five six seven eight nine ten eleven twelve dozen several many few both "
    "various multiple numerous these those"
)
QUANTIFIERS = words("some any no all other more most")
# Words about where things stand, or about the picture as such. Editing one would ask for another
# layout or another medium, not for another thing.
LAYOUT = words(
    "left right top bottom middle center centre side front back edge corner end upper lower "
    "foreground background distance rear inside outside interior exterior view scene picture "
    "photo photograph image drawing painting sketch illustration portrait shot close-up "
    "closeup screenshot selfie group bunch couple pair row line lot number set piece part "
    "slice stack pile variety type kind crowd herd flock collection bit half area place "
    "ground floor surface display position air person someone thing object item way "
    "day time body"
)
FUNCTION_WORDS = words(
    "of in on at by for with without from to into onto over under above below behind beside "
    "besides between among around near next along across through against past up down off out "
    "about after before during while as than and or but nor if that which who whose whom "
    "where when there here not very so too just only also is are was were be been being has "
    "have had do does did can could will would may might must it he she they them him himself "
    "herself itself themselves we us i you what how why like away together alone ahead apart "
    "both each"
)
COPULAS = words("is are was were looks look seems appears")
# Nouns that say what a thing is made of and stand before it like adjectives.
MATERIALS = words(
    "wood brick stone metal steel iron glass plastic paper leather concrete marble gold "
    "silver bronze copper cotton silk wool velvet denim cardboard ceramic porcelain rubber "
    "straw clay granite wicker bamboo lace fur wire"
)
_COLOUR_WORDS = words(
    "red green blue yellow purple pink brown orange black white gray grey tan beige teal"
)


def is_colour_word(word: str) -> bool:
    """Whether `word`, in lower case, is the name of a common colour."""
    return word in _COLOUR_WORDS
