"""Errors of editing and training that a user can mend. Imports nothing heavy."""

from indexes.errors import PairloomError


class EditingError(PairloomError):
    """Editing or training that cannot go on, in one line that names the value and the rule."""


class EditError(EditingError, ValueError):
    """An edit that cannot be made, in one line that names the value and the rule."""


class NotFiniteError(EditError):
    """A model that gave infinite numbers, or none, in one line that names a cure."""


class SettingError(EditingError, ValueError):
    """A setting that an editor does not have, or a value that breaks its rule, in one line."""
