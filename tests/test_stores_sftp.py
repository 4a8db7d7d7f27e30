"""Commands on a file system that is no object store: SFTP, which knows folders and renames files.

Its client serves one thread at a time, and says in the address which server it is.
"""

import pytest
from fakes.command_line import index_command, make_collection, run
from fakes.folders import contents
from fakes.object_store import stored_contents, upload_folder
from fakes.storage_server import Commands

from indexes.storage.paths import as_path

pytest.importorskip("asyncssh", reason="no asyncssh, and so no SFTP server")
pytest.importorskip("paramiko", reason="no paramiko, and so no client of SFTP")

from fakes.sftp_server import sftp_environment, sftp_server

pytestmark = pytest.mark.storage

SOURCE = "{kind: still-life, count: 30, shard_size: 10, told: true}"
SUMMARY = ("run_summary.json",)


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """The folder that is served, and the address of the folder in it that tests write to."""
    root = tmp_path_factory.mktemp("served")
    (root / "data").mkdir()
    with sftp_server(root) as address:
        yield root, f"{address}/data"


@pytest.fixture(scope="module")
def commands(tmp_path_factory):
    cache = tmp_path_factory.mktemp("cache")
    return Commands("", cache, lead=lambda _, secret: sftp_environment(secret))


def done(outcome):
    code, out, lines = outcome
    assert (code, lines) == (0, [])
    return out


def local(*words):
    outcome = run(*words)
    assert outcome.code == 0, outcome.err


def test_bytes_are_those_of_this_machine(served, commands, words, tmp_path):
    """Index, build by two processes, and what reads a data set; the source is on this machine."""
    root, address = served
    (tmp_path / "source.yaml").write_text(SOURCE)
    for place, do in ((tmp_path, local), (address, lambda *words: done(commands.run(*words)))):
        do("index", tmp_path / "source.yaml", "--out", f"{place}/index", *words)
        build = ("build", tmp_path / "source.yaml", "--index", f"{place}/index")
        do(*build, "--out", f"{place}/pairs", *words, "--senses", "frequency", "--workers", 2)
        again = ("--threshold", "structure=none")
        do("rethreshold", f"{place}/pairs", "--out", f"{place}/again", *again)
    for name in ("index", "pairs"):
        found, expected = contents(root / "data" / name), contents(tmp_path / name)
        assert drop(found) == drop(expected)
        done(commands.run("verify", f"{address}/{name}"))
    assert contents(root / "data" / "again") == contents(tmp_path / "again")
    done(commands.run("report", f"{address}/pairs"))
    assert (root / "data" / "pairs" / "report.html").is_file()
    assert not [name for name in contents(root / "data") if name.endswith(".partial")]


def drop(files):
    return {name: data for name, data in files.items() if name not in SUMMARY}


def test_pictures_are_fetched_one_at_a_time(served, commands, words, tmp_path):
    """Sixteen threads ask for them, of which the client would lose answers."""
    _, address = served
    pictures = make_collection(tmp_path / "pictures", 40)
    (pictures / "what?is#this.png").write_bytes((pictures / "good-000.png").read_bytes() + b"\0")
    with commands.here():
        there = upload_folder(pictures, as_path(f"{address}/pictures"))
        assert stored_contents(there) == contents(pictures)
    done(commands.run("index", there, "--out", tmp_path / "there", *words))
    assert index_command(pictures, tmp_path / "here").code == 0
    for name in ("img_emb/img_emb_00000.npy", "image.index"):
        assert (tmp_path / "there" / name).read_bytes() == (tmp_path / "here" / name).read_bytes()


def test_a_wrong_secret_is_one_line(served, commands, words, tmp_path):
    _, address = served
    stranger = Commands("", tmp_path / "cache", secret="another-secret", lead=commands.lead)
    code, _, (line,) = stranger.run("index", f"{address}/any", "--out", tmp_path / "out", *words)
    assert code == 1
    assert line.startswith(f"pairloom: error: {address.removesuffix('/data')}")
    assert "access is denied" in line
    assert "another-secret" not in line


def test_a_server_that_is_not_there_is_one_line(commands, words, tmp_path):
    code, _, (line,) = commands.run(
        "index", "sftp://127.0.0.1:1/any", "--out", tmp_path / "out", *words
    )
    assert code == 1
    assert "sftp://127.0.0.1:1" in line
    assert "cannot be reached" in line


@pytest.fixture(scope="module")
def words():
    """The flags of the tiny networks."""
    from fakes.command_line import preset_file

    return ("--preset", preset_file(), "--captions", "source")
