"""Whether an edited still life shows what was asked for, as the judge reads it."""

from collections.abc import Mapping
from dataclasses import dataclass

from stilllife.scene import Scene
from stilllife.truth import read_caption


@dataclass(frozen=True)
class EditVerdict:
    """What became of an edit's attributes.

    `edited` where all that the prompt changes is as it says, `kept` where all that it does not
    change is as it was in the source. `attributes` says of each attribute by name whether it is as
    the prompt wants it.
    """

    edited: bool
    kept: bool
    attributes: Mapping[str, bool]

    @property
    def both(self) -> bool:
        """Whether the edit is right: the edited attribute and all others."""
        return self.edited and self.kept


def changed_attributes(source: Scene, edit_prompt: str) -> dict[str, str]:
    """What an edit prompt changes of a scene: the wanted values, named as `Scene.attributes` does.

    Raises:
        ValueError: the prompt is no caption of the world, or changes nothing of the source.
    """
    wanted, before = read_caption(edit_prompt), source.attributes()
    if wanted is None:
        raise ValueError(f"edit_prompt must be a caption of the still life, got {edit_prompt!r}")
    changed = {name: value for name, value in wanted.items() if value != before.get(name)}
    if not changed:
        raise ValueError(f"edit_prompt must change something of the source, got {edit_prompt!r}")
    return changed


def edited_thing(source: Scene, edit_prompt: str) -> int | None:
    """Which thing of the scene, from the left, the prompt changes; None for the background.

    Raises:
        ValueError: as `changed_attributes`.
    """
    owners = {name.partition(".")[0] for name in changed_attributes(source, edit_prompt)}
    return 0 if "first" in owners else 1 if "second" in owners else None


def judge_edit(reading: Mapping[str, str], source: Scene, edit_prompt: str) -> EditVerdict:
    """The verdict on a picture of which an edit of `source` was asked and which reads `reading`.

    Raises:
        ValueError: the prompt is no caption of the world, or changes nothing of the source.
    """
    changed = changed_attributes(source, edit_prompt)
    wanted = source.attributes() | changed
    attributes = {name: reading.get(name) == value for name, value in wanted.items()}
    return EditVerdict(
        edited=all(attributes[name] for name in changed),
        kept=all(attributes[name] for name in wanted.keys() - changed),
        attributes=attributes,
    )
