"""Commands against a real S3 server that is killed, slow, cut off, full, or knows us not.

Whatever happens, what is at the store is whole or not there, the command ends with one line, and
the same command goes on from there to the same bytes as here.
"""

import json
import re
import time

import pytest
from fakes.command_line import build_command, index_command, preset_file
from fakes.faults import Faults, Proxy
from fakes.folders import contents
from fakes.object_store import BUCKET
from fakes.storage_server import SERVER_VARIABLE, Commands, StorageServer, server_program

pytestmark = [
    pytest.mark.storage,
    pytest.mark.skipif(server_program() is None, reason=f"no versitygw, see {SERVER_VARIABLE}"),
]

SOURCE = "{kind: still-life, count: 40, shard_size: 10, told: true}"
SUMMARY = "run_summary.json"
IMPATIENT = {"AWS_MAX_ATTEMPTS": "1"}


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    """The source file, the index and the pairs made on this machine, all in one folder."""
    root = tmp_path_factory.mktemp("here")
    (root / "source.yaml").write_text(SOURCE)
    assert index_command(root / "source.yaml", root / "index").code == 0
    assert build_command(root / "source.yaml", root / "pairs", index=root / "index").code == 0
    return root


@pytest.fixture
def server(tmp_path):
    server = StorageServer(tmp_path / "buckets")
    server.start()
    yield server
    server.kill()


def words_of(command, here, index="index"):
    """The words of `index` or `build` whose outputs are at the store."""
    flags = ("--preset", preset_file(), "--captions", "source", "--json")
    if command == "index":
        return ("index", here / "source.yaml", "--out", f"s3://{BUCKET}/index", *flags)
    pool = ("--index", here / "index", "--senses", "frequency")
    return ("build", here / "source.yaml", *pool, "--out", f"s3://{BUCKET}/pairs", *flags)


FOLDERS = {"index": "index", "build": "pairs"}


def expected(here, command):
    files = contents(here / FOLDERS[command])
    return {name: data for name, data in files.items() if name != SUMMARY}


def found(server, command):
    files = server.files(FOLDERS[command])
    return {name: data for name, data in files.items() if name != SUMMARY}


def assert_one_line(outcome, *, says):
    code, _, lines = outcome
    assert code == 1, lines
    assert len(lines) == 1, lines
    assert lines[0].startswith("pairloom: error: ")
    assert re.search(says, lines[0]), lines[0]
    assert f"s3://{BUCKET}/" in lines[0]
    assert "test-secret" not in lines[0]


def assert_whole_or_absent(server, command, here):
    """What is there is what would be there in the end, but for the description of an index."""
    wanted = expected(here, command)
    there = found(server, command)
    assert "COMPLETED" not in there
    for name, data in there.items():
        if name != "pairloom.json":
            assert data == wanted[name], name


def finishes(commands, command, here, server):
    code, out, lines = commands.run(*words_of(command, here))
    assert (code, lines) == (0, [])
    assert found(server, command) == expected(here, command)
    return json.loads(out.splitlines()[-1])


@pytest.fixture
def through(server, tmp_path):
    """Makes commands that reach the server through a proxy with faults."""
    proxies = []

    def make(faults, **settings):
        proxies.append(Proxy(server.port, faults))
        return Commands(proxies[-1].endpoint, tmp_path / "cache", **settings)

    yield make
    for proxy in proxies:
        proxy.close()


@pytest.mark.parametrize("command", FOLDERS)
def test_the_bytes_are_those_of_this_machine(server, here, tmp_path, command):
    commands = Commands(server.endpoint, tmp_path / "cache")
    finishes(commands, command, here, server)
    code, out, lines = commands.run("verify", f"s3://{BUCKET}/{FOLDERS[command]}", "--json")
    assert (code, lines) == (0, [])
    assert json.loads(out.splitlines()[-1])["ok"]


def test_everything_at_the_store(server, here, tmp_path):
    """Source, index and pairs there, written by two processes; then read for training."""
    commands = Commands(server.endpoint, tmp_path / "cache")
    code, _, lines = commands.run(*words_of("index", here), "--workers", 2)
    assert (code, lines) == (0, [])
    words = list(words_of("build", here))
    words[words.index(here / "index")] = f"s3://{BUCKET}/index"
    code, _, lines = commands.run(*words, "--workers", 2)
    assert (code, lines) == (0, [])
    assert found(server, "build") == expected(here, "build")
    code, _, lines = commands.run("report", f"s3://{BUCKET}/pairs")
    assert (code, lines) == (0, [])
    assert (server.bucket / "pairs" / "report.html").is_file()


@pytest.mark.parametrize(("command", "upload"), [("index", 3), ("index", 11), ("build", 9)])
def test_a_server_that_is_killed_half_way(server, here, through, command, upload):
    def kill(number):
        if number == upload:
            server.kill()
        return

    commands = through(Faults(on_put=kill), more=IMPATIENT)
    outcome = commands.run(*words_of(command, here))
    assert_one_line(outcome, says="cannot be reached|broke the connection off")
    assert_whole_or_absent(server, command, here)
    server.start()
    summary = finishes(commands, command, here, server)
    # Four files make a shard or part, and an index has its description before them.
    before = (upload - 1) // 4 if command == "index" else upload // 4
    assert summary.get("parts_skipped", summary.get("shards_skipped")) == before


@pytest.mark.parametrize(("command", "upload"), [("index", 12), ("build", 6)])
def test_a_command_that_is_killed_half_way(server, here, through, command, upload):
    processes = []

    def kill(number):
        if number == upload:
            processes[0].kill()
            return "cut"
        return None

    commands = through(Faults(on_put=kill))
    processes.append(commands.start(*words_of(command, here)))
    processes[0].communicate(timeout=280)
    assert processes[0].returncode < 0
    assert_whole_or_absent(server, command, here)
    summary = finishes(commands, command, here, server)
    assert summary.get("parts_skipped", summary.get("shards_skipped")) >= 1


def test_a_slow_server(server, here, through):
    commands = through(Faults(delay_s=0.03, bytes_a_second=400_000))
    finishes(commands, "build", here, server)


@pytest.mark.parametrize("command", FOLDERS)
def test_connections_that_break_are_tried_again(server, here, through, command):
    def cut(number):
        return "cut" if number % 3 == 1 else None

    finishes(through(Faults(on_put=cut, on_get=cut)), command, here, server)


@pytest.mark.parametrize("command", FOLDERS)
def test_a_store_that_is_full(server, here, through, command):
    room = {"left": 6}

    def refuse(number):
        return "full" if number >= room["left"] else None

    commands = through(Faults(on_put=refuse), more=IMPATIENT)
    assert_one_line(commands.run(*words_of(command, here)), says="The bucket is full")
    assert_whole_or_absent(server, command, here)
    room["left"] = 10**9
    finishes(commands, command, here, server)


def test_a_server_whose_disk_takes_no_more(server, here, tmp_path):
    """The system refuses what the server writes; the index of FAISS is the largest file."""
    server.kill()
    server.start(largest_file=len(expected(here, "index")["image.index"]) - 1)
    commands = Commands(server.endpoint, tmp_path / "cache", more=IMPATIENT)
    code, _, lines = commands.run(*words_of("index", here))
    assert code == 1
    assert len(lines) == 1
    assert f"s3://{BUCKET}/index/" in lines[0]
    assert_whole_or_absent(server, "index", here)
    server.kill()
    server.start()
    finishes(commands, "index", here, server)


NO_KEYS = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}


@pytest.mark.parametrize(
    ("command", "settings", "says"),
    [
        ("index", {"secret": "another-secret"}, "access is denied"),
        ("build", {"secret": "another-secret"}, "access is denied"),
        ("index", {"more": {"AWS_ACCESS_KEY_ID": "another"}}, "No user exists|access is denied"),
        ("index", {"more": NO_KEYS}, "no credentials"),
    ],
)
def test_wrong_credentials(server, here, tmp_path, command, settings, says):
    commands = Commands(server.endpoint, tmp_path / "cache", **settings)
    outcome = commands.run(*words_of(command, here))
    assert_one_line(outcome, says=says)
    assert "another-secret" not in outcome[2][0]
    assert found(server, command) == {}


def test_a_server_that_never_answers(here, through):
    quick = {"config_kwargs": {"read_timeout": 1, "connect_timeout": 1}}
    commands = through(Faults(stalled=True), more={**IMPATIENT, "FSSPEC_S3": json.dumps(quick)})
    began = time.monotonic()
    assert_one_line(commands.run(*words_of("index", here)), says="does not answer in time")
    assert time.monotonic() - began < 120


@pytest.mark.parametrize("kind", ["folder", "tar"])
def test_a_source_whose_server_is_killed(server, here, through, tmp_path, kind):
    """The pictures that could not be had are no rejects: the job goes on with them."""
    from fakes.command_line import make_collection
    from fakes.img2dataset import write_captioned_tar

    pictures = server.bucket / "pictures"
    local = tmp_path / "pictures"
    if kind == "folder":
        make_collection(local, 30)
    else:
        local.mkdir()
        write_captioned_tar(local / "00000.tar", 30)
    pictures.mkdir()
    for path in local.iterdir():
        (pictures / path.name).write_bytes(path.read_bytes())

    def kill(number):
        if number == (20 if kind == "folder" else 0):
            server.kill()
        return

    commands = through(Faults(on_get=kill), more=IMPATIENT)
    flags = ("--preset", preset_file(), "--captions", "source", "--json")
    words = ("index", f"s3://{BUCKET}/pictures", "--out", tmp_path / "index", *flags)
    assert_one_line(commands.run(*words), says="cannot be reached|broke the connection off")
    assert not (tmp_path / "index" / "COMPLETED").exists()
    server.start()
    code, out, lines = commands.run(*words)
    assert (code, lines) == (0, [])
    counts = json.loads(out.splitlines()[-1])
    assert (counts["sources"], counts["indexed"], counts["rejects"]) == (30, 30, {})
