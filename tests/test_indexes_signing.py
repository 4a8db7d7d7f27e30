import shutil
import subprocess

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from indexes.signing import (
    NAMESPACE,
    SigningError,
    sign,
    signature_file,
    signature_problem,
    verify,
)
from indexes.ssh_keys import load_signing_key, load_trusted_keys

DATA = b'{"what": "is signed"}\n'
MAKERS = {
    "ed25519": ed25519.Ed25519PrivateKey.generate,
    "rsa": lambda: rsa.generate_private_key(65537, 2048),
    "ecdsa256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "ecdsa384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "ecdsa521": lambda: ec.generate_private_key(ec.SECP521R1()),
}


def save(folder, private, *, form=PrivateFormat.OpenSSH, passphrase=None, name="key"):
    """The files of a key pair in `folder`, as ssh-keygen writes them; that of the private one."""
    encryption = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    path = folder / name
    path.write_bytes(private.private_bytes(Encoding.PEM, form, encryption))
    path.chmod(0o600)
    line = private.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    (folder / f"{name}.pub").write_bytes(line + b" somebody@somewhere\n")
    return path


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """A folder for each kind of key with `key` and `key.pub`."""
    folders = {name: tmp_path_factory.mktemp(name) for name in MAKERS}
    for name, make in MAKERS.items():
        save(folders[name], make())
    return folders


@pytest.fixture
def ed25519_key(keys):
    return keys["ed25519"] / "key"


def trusted(path):
    return load_trusted_keys(path, NAMESPACE)


@pytest.mark.parametrize("kind", MAKERS)
def test_what_was_signed_is_verified_and_nothing_else(keys, kind):
    key, trust = keys[kind] / "key", trusted(keys[kind] / "key.pub")
    signature = sign(DATA, load_signing_key(key))
    verify(DATA, signature, trust)
    with pytest.raises(SigningError, match="is not of these bytes"):
        verify(DATA + b" ", signature, trust)
    other = next(name for name in MAKERS if name != kind)
    with pytest.raises(SigningError, match=r"made by the key SHA256:.* does not name"):
        verify(DATA, signature, trusted(keys[other] / "key.pub"))


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="needs ssh-keygen")
@pytest.mark.parametrize("kind", MAKERS)
def test_ssh_keygen_reads_our_signatures_and_we_read_its(keys, kind, tmp_path):
    key = keys[kind] / "key"
    signers, file = tmp_path / "allowed_signers", tmp_path / "manifest.json"
    public = (keys[kind] / "key.pub").read_text()
    signers.write_text(f'me@here namespaces="{NAMESPACE}" {public}')
    file.write_bytes(DATA)
    signature_file(file).write_bytes(sign(DATA, load_signing_key(key)))
    command = ["ssh-keygen", "-Y", "verify", "-f", signers, "-I", "me@here", "-n", NAMESPACE]
    command += ["-s", signature_file(file)]
    subprocess.run(command, input=DATA, check=True, capture_output=True)
    signature_file(file).unlink()
    subprocess.run(
        ["ssh-keygen", "-Y", "sign", "-f", key, "-n", NAMESPACE, file],
        check=True,
        capture_output=True,
    )
    assert signature_problem(file, trusted(signers)) is None
    file.write_bytes(b"other")
    assert "is not of these bytes" in signature_problem(file, trusted(signers))


def test_a_signature_for_another_purpose_does_not_count(keys, tmp_path):
    if shutil.which("ssh-keygen") is None:
        pytest.skip("needs ssh-keygen")
    file = tmp_path / "manifest.json"
    file.write_bytes(DATA)
    key = keys["ed25519"] / "key"
    subprocess.run(
        ["ssh-keygen", "-Y", "sign", "-f", key, "-n", "git", file], check=True, capture_output=True
    )
    assert "must be for 'pairloom', got b'git'" in signature_problem(
        file, trusted(keys["ed25519"] / "key.pub")
    )


def test_every_changed_byte_of_a_signature_is_a_line(ed25519_key):
    signature = sign(DATA, load_signing_key(ed25519_key))
    trust = trusted(ed25519_key.with_suffix(".pub"))
    for place in range(len(signature) - 1):
        broken = bytearray(signature)
        broken[place] = ord("A") if broken[place] != ord("A") else ord("B")
        with pytest.raises(SigningError):
            verify(DATA, bytes(broken), trust)
        with pytest.raises(SigningError):
            verify(DATA, signature[:place], trust)


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.OpenSSH])
def test_a_key_with_a_passphrase_is_asked_for_it(tmp_path, form):
    if form is PrivateFormat.OpenSSH:
        pytest.importorskip("bcrypt")
    path = save(tmp_path, MAKERS["rsa"](), form=form, passphrase=b"open sesame")
    key = load_signing_key(path, lambda asked: "open sesame")
    verify(DATA, sign(DATA, key), trusted(tmp_path / "key.pub"))
    with pytest.raises(SigningError, match="passphrase is not that of the key"):
        load_signing_key(path, lambda asked: "wrong")
    with pytest.raises(SigningError, match="has a passphrase, and there is no terminal"):
        load_signing_key(path)


def test_keys_in_other_forms_are_read(tmp_path):
    path = save(tmp_path, MAKERS["rsa"](), form=PrivateFormat.TraditionalOpenSSL)
    verify(DATA, sign(DATA, load_signing_key(path)), trusted(tmp_path / "key.pub"))


def write(path, data, mode=0o600):
    path.write_bytes(data)
    path.chmod(mode)
    return path


def test_keys_that_cannot_sign_are_refused(tmp_path, ed25519_key):
    public = ed25519_key.with_suffix(".pub")
    weak = save(tmp_path, rsa.generate_private_key(65537, 1024), name="weak")
    old = dsa.generate_private_key(1024)
    pem = old.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    refused = {
        "must be a private key, got a public one": write(tmp_path / "a.pub", public.read_bytes()),
        "must be readable by its owner alone": write(
            tmp_path / "open", ed25519_key.read_bytes(), mode=0o644
        ),
        "at least 2048 bits, got 1024": weak,
        "kind of key must be one of": write(tmp_path / "dsa", pem),
        "must be a private key of ssh": write(tmp_path / "text", b"no key at all"),
        "must be a file that holds a key": tmp_path,
    }
    for line, path in refused.items():
        with pytest.raises(SigningError, match=line):
            load_signing_key(path)


def test_trusted_keys_are_read_in_every_form(tmp_path, ed25519_key):
    line = ed25519_key.with_suffix(".pub").read_text().strip()
    for text in (
        f"# mine\n\n{line}\n",
        f'command="echo \\"x y\\"",no-pty {line}\n',
        f'me@here,you@there namespaces="file,pair*" {line}\r\n',
        f'me@here valid-after="20200101" {line}\nnonsense ssh-rsa AAAA\n',
    ):
        assert len(trusted(write(tmp_path / "keys", text.encode())).blobs) == 1


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("", "must name a public key"),
        ("me@here cert-authority {line}", "must name a public key"),
        ('me@here namespaces="git" {line}', "must name a public key"),
        ('me@here valid-before="20200101Z" {line}', "must name a public key"),
        ('expiry-time="20200101" {line}', "must name a public key"),
        ('me@here valid-before="soon" {line}', "must name a public key"),
        ("# {line}", "must name a public key"),
        ("ssh-ed25519 AAAA", "the kind of key must be one of"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----", "must hold public keys, got a private one"),
    ],
)
def test_keys_that_are_not_to_be_trusted_are_not(tmp_path, ed25519_key, text, rule):
    line = ed25519_key.with_suffix(".pub").read_text().strip()
    with pytest.raises(SigningError, match=rule):
        trusted(write(tmp_path / "keys", text.replace("{line}", line).encode()))


def test_a_signature_that_is_missing_or_no_file_is_a_line(tmp_path, ed25519_key):
    trust = trusted(ed25519_key.with_suffix(".pub"))
    file = write(tmp_path / "a.json", DATA)
    assert signature_problem(file, trust) == "there is no signature a.json.sig"
    signature_file(file).symlink_to(file)
    assert "must be a regular file" in signature_problem(file, trust)
    signature_file(file).unlink()
    write(signature_file(file), b"x" * 200_000)
    assert "must have at most" in signature_problem(file, trust)
