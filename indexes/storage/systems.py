"""The file systems that addresses name, opened by `fsspec`, which knows their clients."""

import errno
import re
from contextlib import suppress
from functools import lru_cache
from typing import Any

from indexes.storage.errors import StorageError, describe

_ADDRESS = re.compile(r"([a-z][a-z0-9+.-]+)://?(?=[^/])", re.IGNORECASE)
_EXTRAS = {"s3": "s3", "s3a": "s3", "gs": "gcs", "gcs": "gcs"}
"""Which extra of the distribution brings the client of a scheme."""

OBJECT_STORES = frozenset(
    {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "oss", "oci", "tos", "memory"}
)
"""Where a file appears whole when its upload ends, and folders are only what names begin with."""


def is_address(text: str) -> bool:
    """Whether `text` names something on another file system than this machine's.

    >>> is_address("s3://bucket/pictures"), is_address("pictures/s3"), is_address("C:/pictures")
    (True, False, False)
    """
    return "://" in text and _ADDRESS.match(text) is not None


def scheme_of(address: str) -> str:
    """The part before `://`, in lower case."""
    return address.partition(":")[0].lower()


def open_system(scheme: str) -> Any:
    """The file system of `scheme`, with the options of the environment and of fsspec's files.

    It remembers no listings: other processes write there too.

    Raises:
        StorageError: there is no such scheme, or its client is not installed or cannot start.
    """
    return _open_system(scheme)


def forget_systems() -> None:
    """Lets every file system be opened anew, by what the environment says then."""
    _open_system.cache_clear()


@lru_cache(maxsize=16)
def _open_system(scheme: str) -> Any:
    import fsspec

    address = f"{scheme}://"
    try:
        with suppress(TypeError):  # of the few that have no such option
            return fsspec.filesystem(scheme, use_listings_cache=False, skip_instance_cache=True)
        return fsspec.filesystem(scheme, skip_instance_cache=True)
    except ImportError as error:
        extra = _EXTRAS.get(scheme)
        how = f'pip install "pairloom[{extra}]"' if extra else describe(error)
        said = f"the client for it is not installed: {how}"
        raise StorageError(errno.ENOPKG, said, address) from error
    except (ValueError, OSError) as error:
        raise StorageError(errno.EPROTONOSUPPORT, describe(error), address) from error
