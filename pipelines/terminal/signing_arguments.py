"""`--sign KEY` and `--trust FILE`: keys of ssh, for commands that finish something or check it."""

import argparse
import getpass
import sys
from pathlib import Path

from indexes.signing import NAMESPACE, sign, signature_file
from indexes.ssh_keys import SigningKey, TrustedKeys, load_signing_key, load_trusted_keys
from pipelines.terminal.arguments import local_path
from transforms.dataset.files import read_bounded, write_bytes

_MOST_SIGNED_BYTES = 2**31


def add_sign_flag(parser: argparse.ArgumentParser, *, what: str = "the manifest") -> None:
    """Adds `--sign`."""
    parser.add_argument(
        "--sign",
        type=local_path,
        metavar="KEY",
        help=f"sign {what} with this private key of ssh (ed25519, ECDSA or RSA)",
    )


def read_signing_key(path: Path | None) -> SigningKey | None:
    """The key to sign with, before any work is done; asks for its passphrase at a terminal.

    Raises:
        SigningError: the key cannot be used.
    """
    if path is None:
        return None
    ask = _ask_passphrase if sys.stdin is not None and sys.stdin.isatty() else None
    return load_signing_key(path, ask)


def read_trusted_keys(path: Path | None) -> TrustedKeys | None:
    """The keys that `--trust` names.

    Raises:
        SigningError: the file names none.
    """
    return None if path is None else load_trusted_keys(path, NAMESPACE)


def write_signature(path: Path, key: SigningKey) -> Path:
    """Signs the file at `path`; gives where the signature lies.

    Raises:
        OutputError, SigningError: the file cannot be read, signed, or the signature written.
    """
    beside = signature_file(path)
    write_bytes(beside, sign(read_bounded(path, _MOST_SIGNED_BYTES), key))
    return beside


def _ask_passphrase(path: Path) -> str:
    return getpass.getpass(f"passphrase of {path}: ")
