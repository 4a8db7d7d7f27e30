import json

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from fakes import sealed
from fakes.index import build_index

from pairloom.__main__ import main
from transforms.dataset.folder import write_manifest
from transforms.dataset.manifest import load_manifest


def make_key(folder, name):
    """A private key of ssh with its public one beside it."""
    private = ed25519.Ed25519PrivateKey.generate()
    path = folder / name
    path.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    path.chmod(0o600)
    public = private.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    path.with_suffix(".pub").write_bytes(public)
    return path


@pytest.fixture
def key(tmp_path):
    return make_key(tmp_path, "key")


@pytest.fixture
def folder(sealed_dataset):
    return sealed_dataset


def verify(folder, capsys, *flags):
    """The exit code and the lines of `pairloom verify`."""
    code = main(["verify", str(folder), *map(str, flags)])
    return code, capsys.readouterr().out.splitlines()


def test_what_its_maker_signed_is_whole_as_its_maker_sealed_it(folder, key, capsys):
    code, lines = verify(folder, capsys, "--sign", key)
    assert (code, lines[-2:]) == (0, ["signed: manifest.json.sig", "whole"])
    code, lines = verify(folder, capsys, "--trust", key.with_suffix(".pub"), "--json")
    assert code == 0
    assert f"signed by a key of {key.with_suffix('.pub')}" in lines
    assert json.loads(lines[-1])["ok"] is True
    code, lines = verify(folder, capsys)
    assert code == 0
    assert "manifest.json.sig is there and was not checked: --trust FILE checks it" in lines


def test_a_tamperer_who_seals_again_cannot_sign_again(folder, key, capsys):
    verify(folder, capsys, "--sign", key)
    sealed.seal(folder, lambda data: data["configuration"].update(preset="another"))
    assert verify(folder, capsys)[0] == 0
    code, lines = verify(folder, capsys, "--trust", key.with_suffix(".pub"))
    problem = "problem: the signature manifest.json.sig is not of these bytes: the file was changed"
    assert (code, lines[-2:]) == (1, [problem, "problems: 1"])
    other = make_key(folder.parent, "other")
    assert verify(folder, capsys, "--sign", other)[0] == 0
    code, lines = verify(folder, capsys, "--trust", key.with_suffix(".pub"), "--quick")
    assert code == 1
    assert "was made by the key SHA256:" in lines[-2]


def test_who_trusts_wants_a_signature(folder, key, capsys):
    code, lines = verify(folder, capsys, "--trust", key.with_suffix(".pub"))
    assert code == 1
    assert lines[-2] == "problem: there is no signature manifest.json.sig"


def test_only_what_is_whole_is_signed(folder, key, capsys):
    (folder / "README.md").write_text("mine")
    code, _ = verify(folder, capsys, "--sign", key)
    assert code == 1
    assert not (folder / "manifest.json.sig").exists()
    assert main(["verify", str(folder), "--sign", str(key), "--quick"]) == 2
    assert "--sign wants the whole check, not --quick" in capsys.readouterr().err


@pytest.mark.parametrize("flag", ["--sign", "--trust"])
def test_a_key_that_is_none_is_one_line_before_any_work(folder, flag, capsys):
    assert main(["verify", str(folder), flag, str(folder / "README.md")]) == 1
    said = capsys.readouterr()
    assert said.err.startswith("pairloom: error: ")
    assert said.err.count("\n") == 1
    assert said.out == ""


def test_rethreshold_signs_what_it_makes(folder, key, capsys, tmp_path):
    out = tmp_path / "stricter"
    command = ["rethreshold", str(folder), "--out", str(out), "--threshold", "structure=0.7"]
    assert main([*command, "--sign", str(key)]) == 0
    capsys.readouterr()
    assert verify(out, capsys, "--trust", key.with_suffix(".pub"))[0] == 0


def test_a_signature_stays_with_its_manifest_and_goes_with_it(folder, key, capsys):
    verify(folder, capsys, "--sign", key)
    signature = folder / "manifest.json.sig"
    made = load_manifest(folder)
    write_manifest(folder, made)
    assert signature.exists()
    sealed.build(folder)
    assert signature.exists()
    (folder / "manifest.json").write_text("{}")
    write_manifest(folder, made)
    assert not signature.exists()


def test_a_signature_that_is_a_link_is_told(folder, key, capsys):
    (folder / "manifest.json.sig").symlink_to(key)
    code, lines = verify(folder, capsys)
    assert code == 1
    assert "problem: manifest.json.sig: it must be a regular file, is a symbolic link" in lines


def test_an_index_is_verified_and_signed_by_the_same_command(tmp_path, pool, key, capsys):
    folder = build_index(tmp_path / "index", [pool[:5], pool[5:]]).folder
    code, lines = verify(folder, capsys, "--sign", key)
    assert (code, lines[-2:]) == (0, ["signed: pairloom.json.sig", "whole"])
    public = key.with_suffix(".pub")
    code, lines = verify(folder, capsys, "--trust", public, "--json")
    assert code == 0
    assert json.loads(lines[-1])["pictures"] == 12
    structures = folder / "structure" / "structure_00000.npy"
    structures.write_bytes(structures.read_bytes()[:-1])
    code, lines = verify(folder, capsys, "--quick")
    assert code == 1
    assert any(line.startswith("problem: structure/structure_00000.npy") for line in lines)
