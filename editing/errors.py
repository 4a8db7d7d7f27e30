"""Errors of editing that a user can mend; imports neither torch nor diffusers."""

from indexes.errors import PairloomError


class EditingError(PairloomError):
    """Editing or training that cannot go on, in one line that names the value and the rule."""
