"""Tells texts that describe a picture from the other texts that pictures of the web come with.

A caption names what can be seen, in the third person. Recipes, prices, headlines, advice, file
names and strings of keywords do not, and a word changed in one of them changes nothing in a
picture.
"""

import re

from indexes.captions import caption_words
from transforms.words.vocabulary import DETERMINERS, FUNCTION_WORDS, words

FEWEST_WORDS = 2
MOST_WORDS = 45
MOST_CHARACTERS = 600
FEWEST_JOINED = 5
FEWEST_FUNCTION_WORDS = 0.12
"""A caption of more words has articles and prepositions; a string of keywords has none."""

_FILE = re.compile(
    r"\b[\w-]+\.(jpe?g|png|gif|webp|tiff?|bmp|pdf|html?|com|net|org)\b", re.IGNORECASE
)
_LINK = re.compile(r"https?:|www\.|@\w|&\w+;|[<>{}|\\_=]")
_PRICE = re.compile(r"[$€£¥]\s?\d|\d\s?(usd|eur|gbp|%)", re.IGNORECASE)
_QUOTE = re.compile(r"^\s*[\"“‘']|[\"“”]\s*-|\?\s*$|^\s*[*#~]")
_NUMBERS = re.compile(r"\d+")

_SPEAKERS = words(
    "i me my mine myself we us our ours you your yours yourself let's i'm i've i'd you're we're"
)
_ADVICE = words(
    "how why what whats what's when where which who best worst top ways reasons tips ideas "
    "idea guide"
)
_COMMANDS = words(
    "add buy check choose click compare create design discover do don't download enjoy "
    "explore find follow get give go great hire join keep learn like look make meet mix never "
    "order plan please print read save scratch see serve share shop show sign stop take taste "
    "this'll try turn use visit want watch win"
)
_SHOPS = words(
    "sale price cheap discount shipping buy sold brand wholesale royalty-free vector clipart "
    "wallpaper template logo icon recipe recipes tutorial diy review reviews quote quotes "
    "update episode season lyrics magazine-cover infographic chart graph diagram"
)
_JUDGING = words(
    "always never ever everybody everyone nobody want wants wanted need needs can might may "
    "because if whether"
)
MOST_JUDGING = 1
_NEWS = words(
    "should must would could shall will won't can't cannot didn't doesn't isn't wasn't according "
    "said says alleged alleges announced announces claimed claims accused charged arrested seized "
    "convicted sentenced killed reported reportedly allegedly revealed confirmed"
)
_PAST = re.compile(r"(?<!\bthat )(?<!\bwhich )(?<!\bwho )\b(was|were|had)\b", re.IGNORECASE)
_DASHES = re.compile(r"\w\s*--")


def why_no_caption(text: str) -> str:
    """Why `text` is no caption whose words could be changed; empty where it may be one.

    >>> why_no_caption("a red car in front of a house")
    ''
    >>> why_no_caption("how to choose a car for your family")
    'it advises or asks'
    """
    if len(text) > MOST_CHARACTERS:
        return f"it has more than {MOST_CHARACTERS} characters"
    spelled = caption_words(text)
    if not FEWEST_WORDS <= len(spelled) <= MOST_WORDS:
        return f"a caption has {FEWEST_WORDS} to {MOST_WORDS} words"
    for pattern, why in (
        (_FILE, "it names a file or a site"),
        (_LINK, "it holds an address or marks of a program"),
        (_PRICE, "it names a price"),
        (_QUOTE, "it quotes, asks or lists"),
        (_PAST, "it tells what was"),
        (_DASHES, "it is a headline"),
    ):
        if pattern.search(text):
            return why
    found = set(spelled)
    if found & _SPEAKERS:
        return "it speaks to or of its reader"
    if spelled[0] in _ADVICE | _COMMANDS:
        return "it advises or asks"
    if found & _SHOPS:
        return "it sells or tells"
    if found & _NEWS:
        return "it is news or advice"
    if len(found & _JUDGING) > MOST_JUDGING:
        return "it judges rather than shows"
    joining = sum(word in FUNCTION_WORDS or word in DETERMINERS for word in spelled)
    if len(spelled) > FEWEST_JOINED and joining < FEWEST_FUNCTION_WORDS * len(spelled):
        return "it strings words together"
    if len(_NUMBERS.findall(text)) > 2:
        return "it is full of figures"
    return ""
