"""What the project is called in the files it writes, and what it was called before."""

NAME = "pairloom"
EARLIER_NAME = "pentimento"
"""The name in files of version 1, which are read and gone on with as they are."""
