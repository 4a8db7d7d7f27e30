"""Keys of ssh: private ones to sign with, public ones that a person trusts.

`cryptography` is imported by what needs it, so that nobody else waits for it.
"""

import base64
import binascii
import os
import re
import stat
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from indexes.errors import PairloomError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.serialization import SSHPrivateKeyTypes, SSHPublicKeyTypes

KEY_TYPES = (
    "ssh-ed25519",
    "ssh-rsa",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
)
"""The kinds of keys that sign and are trusted."""
LEAST_RSA_BITS = 2048
_MOST_BYTES = 1_000_000
_WORD = re.compile(r'(?:"(?:\\.|[^"\\])*"|[^\s"])+')
_OPTION = re.compile(r'([A-Za-z-]+)(?:="((?:\\.|[^"\\])*)")?')

AskPassphrase = Callable[[Path], str]
"""Asks a person for the passphrase of the key at a path."""


class SigningError(PairloomError):
    """A key or a signature that cannot be used, in one line that names it and the rule."""


@dataclass(frozen=True)
class SigningKey:
    """A private key: where it lies, the key itself, and the public one as `type base64`."""

    path: Path
    private: "SSHPrivateKeyTypes"
    public: str


@dataclass(frozen=True)
class TrustedKeys:
    """The public keys that the file at `path` names, as the bytes that ssh sends."""

    path: Path
    blobs: frozenset[bytes]


def load_signing_key(path: Path, ask_passphrase: AskPassphrase | None = None) -> SigningKey:
    """The private key at `path`, in any form that ssh-keygen writes.

    Args:
        path: the key's file, which its owner alone may read, as ssh wants it.
        ask_passphrase: asks for the passphrase where there is one.

    Raises:
        SigningError: it cannot be read, is no such key, is too weak, or its passphrase is wrong.
    """
    data = _read_small(path, "key")
    if data.lstrip().startswith(tuple(kind.encode() for kind in KEY_TYPES)):
        raise SigningError(f"{path} must be a private key, got a public one")
    _check_mode(path)
    private = _parse_private(path, data, ask_passphrase)
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    kinds = (ed25519.Ed25519PrivateKey, rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey)
    if not isinstance(private, kinds):
        got = type(private).__name__
        raise SigningError(f"{path}: the kind of key must be one of {KEY_TYPES}, got {got}")

    public_key: Any = private.public_key()
    line = public_key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    kind, blob = line.split()[:2]
    load_public_key(base64.b64decode(blob), path)
    return SigningKey(path, private, f"{kind} {blob}")


def _parse_private(path: Path, data: bytes, ask: AskPassphrase | None) -> "SSHPrivateKeyTypes":
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import (
        load_pem_private_key,
        load_ssh_private_key,
    )

    load: Any = load_ssh_private_key if b"OPENSSH PRIVATE KEY" in data else load_pem_private_key
    private: SSHPrivateKeyTypes
    try:
        try:
            private = load(data, None)
        except TypeError:  # the library's word for "it has a passphrase"
            if ask is None:
                raise SigningError(
                    f"{path} has a passphrase, and there is no terminal to ask for it"
                ) from None
            private = _decrypt(path, load, data, ask(path))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise SigningError(f"{path} must be a private key of ssh: {_one_line(error)}") from error
    return private


def _decrypt(path: Path, load: Any, data: bytes, passphrase: str) -> "SSHPrivateKeyTypes":
    from cryptography.exceptions import UnsupportedAlgorithm

    private: SSHPrivateKeyTypes
    try:
        private = load(data, passphrase.encode())
    except (ValueError, TypeError) as error:
        raise SigningError(f"{path}: the passphrase is not that of the key") from error
    except UnsupportedAlgorithm as error:
        raise SigningError(
            f"{path} has a passphrase, and a package to read it with is missing: {_one_line(error)}"
        ) from error
    return private


def load_public_key(blob: bytes, path: Path) -> "SSHPublicKeyTypes":
    """The public key that ssh sends as `blob`; `path` is where it comes from, for errors.

    Raises:
        SigningError: it is none, or of a kind or size that is not trusted.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.serialization import load_ssh_public_key

    kind = blob[4 : 4 + int.from_bytes(blob[:4])].decode("ascii", "replace")
    if kind not in KEY_TYPES:
        raise SigningError(f"{path}: the kind of key must be one of {KEY_TYPES}, got {kind[:64]!r}")
    try:
        key = load_ssh_public_key(kind.encode() + b" " + base64.b64encode(blob))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise SigningError(f"{path} holds no public key of ssh: {_one_line(error)}") from error
    if isinstance(key, RSAPublicKey) and key.key_size < LEAST_RSA_BITS:
        raise SigningError(
            f"{path}: an RSA key must have at least {LEAST_RSA_BITS} bits, got {key.key_size}"
        )
    return key


def load_trusted_keys(path: Path, namespace: str) -> TrustedKeys:
    """The keys of a public key, an `authorized_keys` or an `allowed_signers` file.

    A line's `namespaces`, `valid-after`, `valid-before` and `expiry-time` are heeded; lines of
    certificate authorities, of kinds not in `KEY_TYPES` and of weak keys are passed over.

    Raises:
        SigningError: the file cannot be read, or names no key that can be trusted.
    """
    text = _read_small(path, "keys").decode("utf-8", "replace")
    if "PRIVATE KEY-----" in text:
        raise SigningError(f"{path} must hold public keys, got a private one")
    blobs = set()
    cause = None
    for line in text.splitlines():
        found = _read_line(line)
        if found is not None and _allows(found[0], namespace):
            try:
                load_public_key(found[1], path)
                blobs.add(found[1])
            except SigningError as error:
                cause = error
    if not blobs:
        rule = f"{path} must name a public key ({', '.join(KEY_TYPES)}), names none"
        raise cause or SigningError(rule)
    return TrustedKeys(path, frozenset(blobs))


def _read_line(line: str) -> tuple[str, bytes] | None:
    """What stands before the key in a line, and the key; None where the line has none."""
    words = [] if line.lstrip().startswith("#") else list(_WORD.finditer(line))
    for word, following in pairwise(words):
        if word.group() in KEY_TYPES:
            try:
                blob = base64.b64decode(following.group(), validate=True)
            except (binascii.Error, ValueError):
                return None
            return line[: word.start()], blob
    return None


def _allows(before: str, namespace: str) -> bool:
    """Whether what stands before a key lets it sign in this namespace, now."""
    options = {name.lower(): value for name, value in _OPTION.findall(before)}
    if "cert-authority" in options:
        return False
    patterns = options.get("namespaces")
    if patterns is not None and not any(fnmatchcase(namespace, p) for p in patterns.split(",")):
        return False
    now = datetime.now(UTC)
    begins, ends = _moment(options.get("valid-after")), _moment(options.get("valid-before"))
    expires = _moment(options.get("expiry-time"))
    return not ((begins and now < begins) or (ends and now > ends) or (expires and now > expires))


def _moment(text: str | None) -> datetime | None:
    """`YYYYMMDD[HHMM[SS]][Z]`; the past for what is not understood, which trusts nothing."""
    if not text:
        return None
    digits = text.removesuffix("Z")
    for form in ("%Y%m%d%H%M%S", "%Y%m%d%H%M", "%Y%m%d"):
        try:
            moment = datetime.strptime(digits, form)
        except ValueError:
            continue
        return moment.replace(tzinfo=UTC) if text.endswith("Z") else moment.astimezone()
    return datetime.fromtimestamp(0, UTC)


def _check_mode(path: Path) -> None:
    found = path.stat()
    if found.st_uid == os.getuid() and stat.S_IMODE(found.st_mode) & 0o077:
        mode = stat.S_IMODE(found.st_mode)
        raise SigningError(f"{path} must be readable by its owner alone (600), got mode {mode:o}")


def _read_small(path: Path, what: str) -> bytes:
    try:
        if not path.is_file():
            raise SigningError(f"{path} must be a file that holds a {what} of ssh")
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise SigningError(f"cannot read {path}: {error.strerror or error}") from error
    if len(data) > _MOST_BYTES:
        raise SigningError(f"{path} must have at most {_MOST_BYTES} bytes to hold a {what} of ssh")
    return data


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
