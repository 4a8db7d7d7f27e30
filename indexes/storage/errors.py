"""What goes wrong on a store, as an `OSError` in one line, with the address and without secrets."""

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager

from indexes.errors import PairloomError

_MOST_SAID = 240
_SECRETS = re.compile(
    r"(?<=://)[^/\s@]+@"  # user and password before a host
    r"|(?<=[?&])(?:X-Amz-[\w-]+|AWSAccessKeyId|Signature|sig|token|key)=[^&\s\"']*"
    r"|\b(?:AKIA|ASIA)[0-9A-Z]{12,}\b"
    r"|(?<=Bearer )\S+",
    re.IGNORECASE,
)
_CALLING = re.compile(r"An error occurred \([^)]*\) when calling the \w+ operation[^:]*: ")
"""With this begins what botocore says that a server said."""
_WORDS = {
    "NoCredentialsError": "no credentials are found for it",
    "PartialCredentialsError": "the credentials for it are not complete",
    "CredentialRetrievalError": "the credentials for it cannot be had",
    "DefaultCredentialsError": "no credentials are found for it",
    "TokenRetrievalError": "the credentials for it have expired",
    "EndpointConnectionError": "the server cannot be reached",
    "ConnectTimeoutError": "the server does not answer in time",
    "ReadTimeoutError": "the server does not answer in time",
    "FSTimeoutError": "the server does not answer in time",
    "TimeoutError": "the server does not answer in time",
    "ServerTimeoutError": "the server does not answer in time",
    "ConnectionClosedError": "the server broke the connection off",
    "ClientConnectorError": "the server cannot be reached",
    "NoValidConnectionsError": "the server cannot be reached",
    "ConnectionRefusedError": "the server cannot be reached",
    "gaierror": "the server cannot be reached",
    "ProxyError": "the server cannot be reached",
    "AuthenticationException": "access is denied, see whether the credentials are right",
    "ServerDisconnectedError": "the server broke the connection off",
    "ClientPayloadError": "the server broke the connection off",
    "IncompleteReadError": "the server broke the connection off",
    "ClientOSError": "the server broke the connection off",
    "ConnectionResetError": "the server broke the connection off",
}
"""What clients raise, by the name of the class: none of them is imported here."""
MISSING = "there is no such file or folder"
_CREDENTIALS = "access is denied, see whether the credentials are right and may do this"


class StorageError(PairloomError, OSError):
    """A store that cannot be used, or a file there: `filename` is the address, `strerror` why."""

    def __str__(self) -> str:
        return f"{self.filename}: {self.strerror}" if self.filename else str(self.strerror)


class StorageMissingError(StorageError, FileNotFoundError):
    """A file, folder or bucket that is not there."""


def refuse_outage(error: BaseException) -> None:
    """Raises `error` where it says that a store cannot be used, not what is or is not in it.

    For whoever takes other errors of a file to mean that the file is absent or broken.

    Raises:
        StorageError: it is one, of another kind than `StorageMissingError`.
    """
    if isinstance(error, StorageError) and not isinstance(error, StorageMissingError):
        raise error


@contextmanager
def telling(address: str) -> Iterator[None]:
    """A block that uses a store: what its client raises comes out as a `StorageError`.

    Raises:
        StorageError: anything went wrong; `address` is in it.
    """
    try:
        yield
    except StorageError:
        raise
    except FileNotFoundError as error:
        raise StorageMissingError(errno.ENOENT, _missing(error), address) from error
    except PermissionError as error:
        said = f"{_CREDENTIALS} ({describe(error)})"
        raise StorageError(errno.EACCES, said, address) from error
    except Exception as error:
        number = getattr(error, "errno", None)
        number = number if isinstance(number, int) else errno.EIO
        raise StorageError(number, describe(error), address) from error


def _missing(error: FileNotFoundError) -> str:
    """Clients say of a bucket that it is not there; of a file they only repeat its name."""
    said = describe(error)
    return said if "bucket" in said.lower() and " " in said else MISSING


def describe(error: BaseException) -> str:
    """What an error of a client says: one short line that holds no secret."""
    for kind in type(error).__mro__:
        if kind.__name__ in _WORDS:
            return _WORDS[kind.__name__]
    said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    line = _CALLING.sub("", " ".join(str(said).split()))
    line = _SECRETS.sub("...", line) or type(error).__name__
    return line if len(line) <= _MOST_SAID else f"{line[:_MOST_SAID]}..."
