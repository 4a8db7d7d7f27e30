"""What is a person's to solve. Imports nothing, so that the command line may know it."""


class EditingError(Exception):
    """Editing or training that cannot go on, in one line that names the value and the rule."""
