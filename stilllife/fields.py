"""Every nameable attribute of a scene as a class label, for networks that read pictures."""

from stilllife.scene import Scene
from stilllife.words import BACKGROUNDS, COLOURS, NOUNS, SIDES, SIZES

FIELDS: dict[str, tuple[str, ...]] = {
    "count": ("1", "2"),
    "background": BACKGROUNDS,
    "side": SIDES,
    "first.noun": NOUNS,
    "first.colour": COLOURS,
    "first.size": SIZES,
    "second.noun": NOUNS,
    "second.colour": COLOURS,
    "second.size": SIZES,
}
"""Every nameable attribute of a scene and its values."""

ABSENT = -100
"""Label of an attribute that a scene does not have (ignored by cross entropy)."""


def label_scene(scene: Scene) -> list[int]:
    """The scene's labels in the order of `FIELDS`."""
    attributes = scene.attributes()
    return [
        values.index(attributes[name]) if name in attributes else ABSENT
        for name, values in FIELDS.items()
    ]
