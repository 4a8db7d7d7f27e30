"""What is in a picture: drawn at random as a function of (seed, index), and said in words."""

import dataclasses
from dataclasses import dataclass
from itertools import product

import numpy as np

from stilllife.words import BACKGROUNDS, COLOURS, NOUNS, SIDES, SIZES, is_held_out

PICTURE_SIZE = 64
SIDE_MARGIN_PX = 4
"""Half the width of the strip around the middle in which no single object has its centre."""

EXTENT_PX = {"small": (15.0, 18.0), "large": (23.0, 25.5)}
"""Range of the geometric mean of an object's width and height, by size."""

ASPECT = {
    "apple": 1.0,
    "pear": 0.75,
    "melon": 1.45,
    "bottle": 0.55,
    "bowl": 1.5,
    "bucket": 0.9,
    "chair": 0.8,
    "sofa": 1.5,
    "stool": 0.8,
    "car": 1.5,
    "truck": 1.4,
    "bus": 1.45,
    "train": 1.5,
}
"""Width over height of each noun's drawing."""


@dataclass(frozen=True, kw_only=True)
class Thing:
    """One object: its attributes, and where it stands (centre, width and height in pixels)."""

    noun: str
    colour: str
    size: str
    centre_x: float
    centre_y: float
    width: float
    height: float

    @property
    def words(self) -> str:
        """The object without its article, as captions name it."""
        return f"{self.size} {self.colour} {self.noun}"

    @property
    def held_out(self) -> bool:
        """Whether training never shows this combination."""
        return is_held_out(self.noun, self.colour, self.size)


@dataclass(frozen=True, kw_only=True)
class Scene:
    """One picture's truth: one or two things from left to right, and the background.

    `appearance_seed` draws what no caption mentions: pose, tint, light, pattern and noise.
    """

    things: tuple[Thing, ...]
    background: str
    appearance_seed: int

    @property
    def side(self) -> str:
        """For one thing, the half of the picture in which its centre lies."""
        return SIDES[0] if self.things[0].centre_x < PICTURE_SIZE / 2 else SIDES[1]

    @property
    def held_out(self) -> bool:
        """Whether the scene shows a combination that training never shows."""
        return any(thing.held_out for thing in self.things)

    def caption(self) -> str:
        """The scene in words, naming every attribute and no more."""
        if len(self.things) == 1:
            place = f"on the {self.side} of"
        else:
            place = f"to the left of a {self.things[1].words} on"
        return f"a {self.things[0].words} {place} a {self.background} background"

    def attributes(self) -> dict[str, str]:
        """Every nameable attribute by a name such as `first.colour`, `background` or `side`."""
        named = {"count": str(len(self.things)), "background": self.background}
        if len(self.things) == 1:
            named["side"] = self.side
        for order, thing in zip(("first", "second"), self.things, strict=False):
            named |= {
                f"{order}.noun": thing.noun,
                f"{order}.colour": thing.colour,
                f"{order}.size": thing.size,
            }
        return named


@dataclass(frozen=True)
class Mix:
    """Which scenes a collection draws.

    `two_objects` is the share of scenes with a second object, in [0, 1]. `held_out` is None for
    all combinations, False for scenes of seen combinations alone (what training uses), True for
    scenes with at least one combination that training never shows.
    """

    two_objects: float = 0.5
    held_out: bool | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.two_objects <= 1:
            raise ValueError(f"two_objects must be in [0, 1], got {self.two_objects}")


def single_captions() -> list[str]:
    """All captions of one object, in a fixed order (noun, colour, size, side, background)."""
    return [
        f"a {size} {colour} {noun} on the {side} of a {background} background"
        for noun, colour, size, side, background in product(
            NOUNS, COLOURS, SIZES, SIDES, BACKGROUNDS
        )
    ]


def draw_scene(seed: int, index: int, mix: Mix | None = None) -> Scene:
    """The scene number `index` of the collection `seed`; the same on every call."""
    mix = mix or Mix()
    rng = np.random.default_rng([seed, index])
    while True:
        scene = _draw(rng, mix)
        if mix.held_out is None or scene.held_out == mix.held_out:
            return scene


def _draw(rng: np.random.Generator, mix: Mix) -> Scene:
    count = 2 if rng.random() < mix.two_objects else 1
    nouns = rng.choice(len(NOUNS), size=count, replace=False)
    things = [_draw_thing(rng, NOUNS[number]) for number in nouns]
    things = _place_one(rng, things[0]) if count == 1 else _place_two(rng, things[0], things[1])
    return Scene(
        things=tuple(things),
        background=BACKGROUNDS[rng.integers(len(BACKGROUNDS))],
        appearance_seed=int(rng.integers(2**31)),
    )


def _draw_thing(rng: np.random.Generator, noun: str) -> Thing:
    size = SIZES[rng.integers(len(SIZES))]
    extent = rng.uniform(*EXTENT_PX[size])
    aspect = ASPECT[noun] * rng.uniform(0.94, 1.06)
    return Thing(
        noun=noun,
        colour=COLOURS[rng.integers(len(COLOURS))],
        size=size,
        centre_x=0.0,
        centre_y=0.0,
        width=extent * aspect**0.5,
        height=extent / aspect**0.5,
    )


def _place_one(rng: np.random.Generator, thing: Thing) -> list[Thing]:
    reach = thing.width / 2 + 1
    x = rng.uniform(reach, PICTURE_SIZE / 2 - SIDE_MARGIN_PX)
    if rng.random() < 0.5:
        x = PICTURE_SIZE - x
    return [_at(rng, thing, x)]


def _place_two(rng: np.random.Generator, left: Thing, right: Thing) -> list[Thing]:
    slack = PICTURE_SIZE - left.width - right.width
    before, between = np.sort(rng.uniform(0, max(slack, 0.0), size=2))
    left_x = before + left.width / 2
    right_x = between + left.width + right.width / 2
    return [_at(rng, left, float(left_x)), _at(rng, right, float(right_x))]


def _at(rng: np.random.Generator, thing: Thing, x: float) -> Thing:
    reach = thing.height / 2 + 1
    y = rng.uniform(reach, PICTURE_SIZE - reach)
    return dataclasses.replace(thing, centre_x=float(x), centre_y=float(y))
