"""The file systems that addresses name, opened by `fsspec`, which knows their clients."""

import errno
import logging
import re
import threading
from contextlib import suppress
from functools import lru_cache
from typing import Any

from indexes.storage.errors import StorageError, describe

_ADDRESS = re.compile(r"(?!(?:file|local)://)[a-z][a-z0-9+.-]+(?:://|::)", re.IGNORECASE)
_EXTRAS = {"s3": "s3", "s3a": "s3", "gs": "gcs", "gcs": "gcs"}
"""Which extra of the distribution brings the client of a scheme."""

OBJECT_STORES = frozenset(
    {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "oss", "oci", "tos", "memory"}
)
"""Where a file appears whole when its upload ends, and folders are only what names begin with."""

_BUCKETS = OBJECT_STORES - {"abfs", "abfss", "az", "adl", "oci"}
"""Where what follows `://` is a part of a name, and says nothing of who is asked for it."""

_FOR_THREADS = frozenset({"memory", "hdfs", "arrow_hdfs"})
"""Clients that serve several threads at once, beside all that are asynchronous inside."""


_TALKATIVE = ("gcsfs", "paramiko")
"""Clients that write to their log, with a traceback, what they raise as well."""


def is_address(text: str) -> bool:
    """Whether `text` names something on another file system than this machine's.

    It need not be a good address; see `indexes.storage.paths.as_path`.

    >>> is_address("s3://bucket/pictures"), is_address("pictures/s3"), is_address("C:/pictures")
    (True, False, False)
    """
    return "://" in text and _ADDRESS.match(text) is not None


def scheme_of(address: str) -> str:
    """The part before `://`, in lower case."""
    return address.partition(":")[0].lower()


def open_system(scheme: str, host: str = "") -> Any:
    """The file system of `scheme`, with the options of the environment and of fsspec's files.

    `host` is what an address has after `://`: a server and a user, or a bucket. The system
    remembers no listings: other processes write there too. A client that serves one thread at a
    time lets the others wait.

    Raises:
        StorageError: there is no such scheme, or its client is not installed or cannot start.
    """
    return _open_system(scheme, "" if scheme in _BUCKETS else host)


def forget_systems() -> None:
    """Lets every file system be opened anew, by what the environment says then."""
    _open_system.cache_clear()


@lru_cache(maxsize=16)
def _open_system(scheme: str, host: str) -> Any:
    import fsspec

    address = f"{scheme}://{host}"
    try:
        system = _open_client(address)
    except ImportError as error:
        extra = _EXTRAS.get(scheme)
        how = f'pip install "pairloom[{extra}]"' if extra else describe(error)
        said = f"the client for it is not installed: {how}"
        raise StorageError(errno.ENOPKG, said, address) from error
    except Exception as error:
        known = scheme in fsspec.available_protocols()
        number = errno.EIO if known else errno.EPROTONOSUPPORT
        raise StorageError(number, describe(error), address) from error
    if getattr(system, "async_impl", False) or scheme in _FOR_THREADS:
        return system
    return OneAtATime(system)


def _open_client(address: str) -> Any:
    import fsspec

    for name in _TALKATIVE:
        if (logger := logging.getLogger(name)).level == logging.NOTSET:
            logger.setLevel(logging.CRITICAL)
    with suppress(TypeError):  # of the few that have no such option
        return fsspec.url_to_fs(address, use_listings_cache=False, skip_instance_cache=True)[0]
    return fsspec.url_to_fs(address, skip_instance_cache=True)[0]


class OneAtATime:
    """A file system whose client serves one thread at a time: calls wait for each other."""

    def __init__(self, system: Any) -> None:
        self._system = system
        self._turn = threading.RLock()

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._system, name)
        if not callable(found):
            return found

        def in_turn(*args: Any, **kwargs: Any) -> Any:
            with self._turn:
                return found(*args, **kwargs)

        return in_turn
