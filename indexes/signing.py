"""Signatures of files by keys of ssh, in the form that `ssh-keygen -Y verify` reads.

The form is SSHSIG (PROTOCOL.sshsig of OpenSSH): the key, a namespace, and a signature over the
SHA-512 of the file. `path.sig` beside `path` holds it. Nothing here knows what is signed.
"""

import base64
import binascii
import hashlib
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from indexes.ssh_keys import SigningError, SigningKey, TrustedKeys, load_public_key

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.hashes import HashAlgorithm
    from cryptography.hazmat.primitives.serialization import SSHPublicKeyTypes

NAMESPACE = "pairloom"
"""What signatures are made for: one for another purpose does not count."""
SUFFIX = ".sig"
_MAGIC = b"SSHSIG"
_BEGIN, _END = "-----BEGIN SSH SIGNATURE-----", "-----END SSH SIGNATURE-----"
_HASH = "sha512"
_LINE = 70
_MOST_BYTES = 100_000


@dataclass(frozen=True)
class _Signature:
    """The parts of a signature: whose it is, over which hash, and the proof itself."""

    public: bytes
    hash_name: str
    algorithm: str
    proof: bytes


def signature_file(path: Path) -> Path:
    """Where the signature of the file at `path` lies."""
    return path.with_name(path.name + SUFFIX)


def sign(data: bytes, key: SigningKey) -> bytes:
    """The signature of `data`, as the file that `ssh-keygen -Y sign` would write.

    Raises:
        SigningError: the key cannot sign.
    """
    algorithm, proof = _prove(_signed_bytes(_HASH, hashlib.sha512(data).digest()), key)
    blob = b"".join(
        [
            _MAGIC,
            (1).to_bytes(4),
            _string(base64.b64decode(key.public.split()[1])),
            _string(NAMESPACE.encode()),
            _string(b""),
            _string(_HASH.encode()),
            _string(_string(algorithm.encode()) + _string(proof)),
        ]
    )
    text = base64.b64encode(blob).decode()
    lines = [text[start : start + _LINE] for start in range(0, len(text), _LINE)]
    return "\n".join([_BEGIN, *lines, _END, ""]).encode()


def signature_problem(path: Path, trusted: TrustedKeys) -> str | None:
    """What is wrong with the signature of the file at `path`; None where a trusted key made it.

    A line for a person: there is none, another key made it, it is not over these bytes, it cannot
    be read.

    >>> from pathlib import Path
    >>> signature_problem(Path("nowhere.json"), TrustedKeys(Path("keys"), frozenset()))
    'there is no signature nowhere.json.sig'
    """
    beside = signature_file(path)
    try:
        for each, what in ((beside, "the signature"), (path, "what is signed,")):
            if not stat.S_ISREG(each.lstat().st_mode):
                return f"{what} {each.name} must be a regular file"
        with beside.open("rb") as file:
            armoured = file.read(_MOST_BYTES + 1)
        data = path.read_bytes()
    except FileNotFoundError:
        return f"there is no signature {beside.name}"
    except OSError as error:
        return f"the signature {beside.name} cannot be read: {error.strerror or error}"
    try:
        verify(data, armoured, trusted)
    except SigningError as error:
        return f"the signature {beside.name} {error}"
    return None


def verify(data: bytes, armoured: bytes, trusted: TrustedKeys) -> None:
    """Make sure that `armoured` is a signature of `data` by one of the `trusted` keys.

    Raises:
        SigningError: it is not; the line says why and goes on after "the signature".
    """
    from cryptography.exceptions import InvalidSignature

    signature = _parse(armoured)
    if signature.public not in trusted.blobs:
        print_of_key = base64.b64encode(hashlib.sha256(signature.public).digest()).decode()
        raise SigningError(
            f"was made by the key SHA256:{print_of_key.rstrip('=')}, which {trusted.path} does "
            "not name"
        )
    digest = hashlib.new(signature.hash_name, data).digest()
    message = _signed_bytes(signature.hash_name, digest)
    try:
        _check(load_public_key(signature.public, trusted.path), signature, message)
    except (InvalidSignature, ValueError) as error:
        raise SigningError("is not of these bytes: the file was changed") from error


def _prove(message: bytes, key: SigningKey) -> tuple[str, bytes]:
    """The name of the algorithm and the proof, by the kind of the key."""
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils
    from cryptography.hazmat.primitives.hashes import SHA512

    private = key.private
    if isinstance(private, ed25519.Ed25519PrivateKey):
        return "ssh-ed25519", private.sign(message)
    if isinstance(private, rsa.RSAPrivateKey):
        return "rsa-sha2-512", private.sign(message, padding.PKCS1v15(), SHA512())
    if isinstance(private, ec.EllipticCurvePrivateKey):
        proof = private.sign(message, ec.ECDSA(_curve_hash(private.key_size)))
        return key.public.split()[0], b"".join(map(_mpint, utils.decode_dss_signature(proof)))
    raise SigningError(f"{key.path}: a key of this kind cannot sign")


def _check(key: "SSHPublicKeyTypes", signature: _Signature, message: bytes) -> None:
    """Raises InvalidSignature or ValueError unless the proof is right."""
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils
    from cryptography.hazmat.primitives.hashes import SHA256, SHA512

    kind = signature.public[4 : 4 + int.from_bytes(signature.public[:4])].decode()
    if isinstance(key, rsa.RSAPublicKey):
        hashes: dict[str, HashAlgorithm] = {"rsa-sha2-512": SHA512(), "rsa-sha2-256": SHA256()}
        if signature.algorithm not in hashes:
            raise SigningError(f"must be by {' or '.join(hashes)}, got {signature.algorithm!r}")
        proof, hashed = signature.proof, hashes[signature.algorithm]
        key.verify(proof, message, padding.PKCS1v15(), hashed)
        return
    if signature.algorithm != kind:
        raise SigningError(f"must be by {kind}, its key's kind, got {signature.algorithm!r}")
    if isinstance(key, ed25519.Ed25519PublicKey):
        key.verify(signature.proof, message)
    elif isinstance(key, ec.EllipticCurvePublicKey):
        numbers = _Reader(signature.proof)
        r, s = (int.from_bytes(numbers.string(), signed=True) for _ in range(2))
        key.verify(utils.encode_dss_signature(r, s), message, ec.ECDSA(_curve_hash(key.key_size)))
    else:
        raise SigningError(f"is by a key that is not checked here, {kind}")


def _curve_hash(bits: int) -> "HashAlgorithm":
    from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512

    return SHA256() if bits <= 256 else SHA384() if bits <= 384 else SHA512()


def _parse(armoured: bytes) -> _Signature:
    if len(armoured) > _MOST_BYTES:
        raise SigningError(f"must have at most {_MOST_BYTES} bytes")
    text = armoured.decode("ascii", "replace").strip()
    if not (text.startswith(_BEGIN) and text.endswith(_END)):
        raise SigningError(f"must begin with {_BEGIN} and end with {_END}")
    letters = "".join(text[len(_BEGIN) : -len(_END)].split())
    try:
        blob = base64.b64decode(letters, validate=True)
    except (binascii.Error, ValueError) as error:
        raise SigningError("must be base64 between its first and last line") from error
    if base64.b64encode(blob).decode() != letters:
        raise SigningError("must be base64 without a bit to spare in its last letter")
    reader = _Reader(blob)
    if reader.take(len(_MAGIC)) != _MAGIC or int.from_bytes(reader.take(4)) != 1:
        raise SigningError("must be of SSHSIG, version 1")
    public, namespace, _, hash_name, proof = (reader.string() for _ in range(5))
    if namespace != NAMESPACE.encode():
        raise SigningError(f"must be for {NAMESPACE!r}, got {namespace[:64]!r}")
    if hash_name not in (b"sha512", b"sha256"):
        raise SigningError(f"must be over sha512 or sha256, got {hash_name[:64]!r}")
    inner = _Reader(proof)
    algorithm, value = inner.string(), inner.string()
    reader.end()
    inner.end()
    return _Signature(public, hash_name.decode(), algorithm.decode("ascii", "replace"), value)


def _signed_bytes(hash_name: str, digest: bytes) -> bytes:
    """What the key signs: not the file, but its hash and what it is signed for."""
    parts = (NAMESPACE.encode(), b"", hash_name.encode(), digest)
    return _MAGIC + b"".join(map(_string, parts))


def _string(data: bytes) -> bytes:
    return len(data).to_bytes(4) + data


def _mpint(number: int) -> bytes:
    return _string(number.to_bytes(number.bit_length() // 8 + 1))


class _Reader:
    """Reads the strings of ssh, each with its length before it."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._place = 0

    def take(self, length: int) -> bytes:
        """The next `length` bytes."""
        end = self._place + length
        if end > len(self._data):
            raise SigningError("breaks off")
        found = self._data[self._place : end]
        self._place = end
        return found

    def string(self) -> bytes:
        """The next string."""
        return self.take(int.from_bytes(self.take(4)))

    def end(self) -> None:
        """Makes sure that nothing follows."""
        if self._place != len(self._data):
            raise SigningError("must end where it does, and goes on")
