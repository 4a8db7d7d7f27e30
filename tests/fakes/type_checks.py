"""How shapes and types of `editing` are checked while tests run: by jaxtyping with this checker."""

from beartype import BeartypeConf, beartype

check = beartype(conf=BeartypeConf(is_pep484_tower=True))
"""Beartype, where an int will do for a float."""
