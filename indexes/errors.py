"""Errors a user can mend: one base class for all of this project's."""


class PairloomError(Exception):
    """Something a user can mend; the message is one line that names the value and the rule.

    The command line shows that line alone, without a traceback. Errors cross process borders, so a
    class whose constructor takes more than the message says in `__reduce__` how to make it again.

    >>> from pairloom import PairloomError, open_index
    >>> try:
    ...     open_index("no_such_folder")
    ... except PairloomError as error:
    ...     print(type(error).__name__)
    IndexFolderError
    """
