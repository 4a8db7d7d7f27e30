"""Errors of editing and training that a user can mend. Imports nothing heavy."""

from collections.abc import Sequence

from indexes.errors import PairloomError


class EditingError(PairloomError):
    """Editing or training that cannot go on, in one line that names the value and the rule."""


class EditError(EditingError, ValueError):
    """An edit that cannot be made, in one line that names the value and the rule."""


class NotFiniteError(EditError):
    """A model that gave infinite numbers, or none, in one line that names a cure.

    `places` are those of the guilty in their batch, in order; empty where that is not known. The
    others can be edited without them.
    """

    def __init__(self, message: str, places: Sequence[int] = ()) -> None:
        super().__init__(message)
        self.places = tuple(places)

    def __reduce__(self) -> tuple[type["NotFiniteError"], tuple[str, tuple[int, ...]]]:
        """Errors cross process borders; the default would lose the places."""
        return NotFiniteError, (str(self), self.places)


class SettingError(EditingError, ValueError):
    """A setting that an editor does not have, or a value that breaks its rule, in one line."""
