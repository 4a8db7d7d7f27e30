"""What is truly in a still life, by the picture's key alone, and whether a pair is right."""

import math
import re
from dataclasses import dataclass

from stilllife.render import Pixels, render
from stilllife.scene import Mix, Scene, Thing, draw_scene
from stilllife.words import BACKGROUNDS, COLOURS, FAMILIES, NOUNS, SIDES, SIZES, family_of

_KEY = re.compile(r"still-life-(\d+)-(\d{1,3})-(\d{8})")


@dataclass(frozen=True)
class PictureId:
    """Which picture of which collection: what a key is made of.

    `two_objects_percent` in 0..100 is the collection's share of scenes with a second object.
    """

    seed: int
    two_objects_percent: int
    index: int

    def __post_init__(self) -> None:
        if not 0 <= self.two_objects_percent <= 100:
            raise ValueError(
                f"two_objects_percent must be in 0..100, got {self.two_objects_percent}"
            )

    @property
    def key(self) -> str:
        """The key, which sorts by index within a collection."""
        return f"still-life-{self.seed}-{self.two_objects_percent}-{self.index:08d}"

    def scene(self) -> Scene:
        """What is truly in the picture."""
        return draw_scene(self.seed, self.index, Mix(self.two_objects_percent / 100))


def is_still_life(key: str) -> bool:
    """Whether `key` is the key of a still life."""
    return _KEY.fullmatch(key) is not None


def parse_key(key: str) -> PictureId:
    """The picture that `key` names.

    Raises:
        ValueError: `key` is not the key of a still life.
    """
    match = _KEY.fullmatch(key)
    if match is None:
        raise ValueError(f"{key!r} is not the key of a still life (still-life-SEED-PERCENT-INDEX)")
    seed, percent, index = map(int, match.groups())
    return PictureId(seed, percent, index)


def truth_of(key: str) -> Scene:
    """What is truly in the picture `key`."""
    return parse_key(key).scene()


def masks_of(key: str) -> Pixels:
    """The exact mask of every thing in the picture `key`, (n, 64, 64) uint8, 0 or 255."""
    return render(truth_of(key)).masks


_THING = rf"a ({'|'.join(SIZES)}) ({'|'.join(COLOURS)}) ({'|'.join(NOUNS)})"
_CAPTION = re.compile(
    rf"{_THING} (?:on the ({'|'.join(SIDES)}) of|to the left of {_THING} on)"
    rf" a ({'|'.join(BACKGROUNDS)}) background"
)


def read_caption(caption: str) -> dict[str, str] | None:
    """The attributes that a caption of this world names, as `Scene.attributes` names them.

    None for a text that is not such a caption.
    """
    match = _CAPTION.fullmatch(caption)
    if match is None:
        return None
    size, colour, noun, side, size_2, colour_2, noun_2, background = match.groups()
    named = {"count": "1" if side else "2", "background": background}
    named |= {"first.noun": noun, "first.colour": colour, "first.size": size}
    if side:
        return named | {"side": side}
    return named | {"second.noun": noun_2, "second.colour": colour_2, "second.size": size_2}


@dataclass(frozen=True)
class PairTruth:
    """Whether a pair is right, and if not what is wrong with it in a few words.

    `attribute` is the kind of attribute that the edit names (noun, colour, size, background, or
    other), `position_px` how far the things lie from where they were, on average (None where the
    two pictures have different numbers of things).
    """

    right: bool
    wrong: str
    attribute: str
    position_px: float | None


def attribute_of(word: str) -> str:
    """The kind of attribute that `word` is a value of."""
    if word in COLOURS:
        return "colour"
    if word in SIZES:
        return "size"
    if word in BACKGROUNDS:
        return "background"
    return "noun" if any(word in nouns for nouns in FAMILIES.values()) else "other"


def judge_pair(
    source_key: str, target_key: str, *, caption: str, edit_prompt: str, target_word: str
) -> PairTruth:
    """Whether source and target truly differ in the edited attribute alone, as the prompt says.

    Right means: the caption is the source's truth, the edit prompt is the target's truth, and the
    two scenes differ in exactly one attribute.
    """
    source, target = truth_of(source_key), truth_of(target_key)
    faults = []
    if source.caption() != caption:
        faults.append(f"the source is {source.caption()!r}")
    if target.caption() != edit_prompt:
        faults.append(f"the target is {target.caption()!r}")
    if not faults and len(differences(source, target)) != 1:
        faults.append(f"they differ in {sorted(differences(source, target))}")
    return PairTruth(
        right=not faults,
        wrong="; ".join(faults),
        attribute=attribute_of(target_word),
        position_px=position_error(source, target),
    )


def differences(source: Scene, target: Scene) -> set[str]:
    """Names of the attributes in which two scenes differ."""
    ours, theirs = source.attributes(), target.attributes()
    return {name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name)}


def position_error(source: Scene, target: Scene) -> float | None:
    """Mean distance in pixels between the centres of corresponding things, from left to right."""
    if len(source.things) != len(target.things):
        return None
    pairs = zip(source.things, target.things, strict=True)
    gaps = [math.hypot(a.centre_x - b.centre_x, a.centre_y - b.centre_y) for a, b in pairs]
    return sum(gaps) / len(gaps)


def possible_edits(scene: Scene) -> list[str]:
    """Every caption that is one edit away from the scene's.

    An edit changes one noun (within its family), colour, size or background; two things still have
    different nouns.
    """
    caption = scene.caption()
    prompts = []
    for thing in scene.things:
        others = {other.noun for other in scene.things if other is not thing}
        for changed in _changed_words(thing):
            if not set(changed.split()) & others:
                prompts.append(caption.replace(thing.words, changed, 1))
    opposite = BACKGROUNDS[1 - BACKGROUNDS.index(scene.background)]
    prompts.append(caption.replace(f"{scene.background} background", f"{opposite} background"))
    return prompts


def _changed_words(thing: Thing) -> list[str]:
    return [
        *(f"{size} {thing.colour} {thing.noun}" for size in SIZES if size != thing.size),
        *(f"{thing.size} {colour} {thing.noun}" for colour in COLOURS if colour != thing.colour),
        *(
            f"{thing.size} {thing.colour} {noun}"
            for noun in FAMILIES[family_of(thing.noun)]
            if noun != thing.noun
        ),
    ]
