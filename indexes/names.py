"""What the project is called in the files it writes, what it was called before, and its version."""

from importlib import metadata

NAME = "pairloom"
EARLIER_NAME = "pentimento"
"""The name in files of version 1, which are read and gone on with as they are."""


def installed_version() -> str:
    """The version of the installed distribution; a text that says so where there is none."""
    try:
        return metadata.version(NAME)
    except metadata.PackageNotFoundError:
        return "unknown (not installed)"
