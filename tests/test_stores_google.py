"""Commands on `gs://`: a real server that speaks as Google's store does, by Google's own client."""

import json

import pytest
from fakes.command_line import index_command, make_collection, preset_file, run
from fakes.faults import Faults, Proxy
from fakes.folders import contents
from fakes.object_store import BUCKET, stored_contents, upload_folder
from fakes.storage_server import (
    GOOGLE_VARIABLE,
    Commands,
    GoogleServer,
    google_environment,
    google_program,
)

from indexes.storage.paths import as_path

pytestmark = [
    pytest.mark.storage,
    pytest.mark.skipif(google_program() is None, reason=f"no server, see {GOOGLE_VARIABLE}"),
    # So aiohttp warns of bodies of a MiB that gcsfs sends.
    pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning"),
]

SOURCE = "{kind: still-life, count: 40, shard_size: 10, told: true}"
SUMMARY = ("run_summary.json",)
FREQUENCY = ("--senses", "frequency")


@pytest.fixture
def server():
    server = GoogleServer()
    yield server
    server.kill()


@pytest.fixture
def commands(server, tmp_path):
    return Commands(server.endpoint, tmp_path / "cache", lead=google_environment)


def tiny():
    """The flags of networks that run in a millisecond."""
    return ("--preset", preset_file(), "--captions", "source", "--json")


def address(name):
    return f"gs://{BUCKET}/{name}"


def done(outcome):
    code, out, lines = outcome
    assert (code, lines) == (0, [])
    return json.loads(out.splitlines()[-1])


def there(commands, name, *, leave_out=SUMMARY):
    with commands.here():
        return stored_contents(as_path(address(name)), leave_out=leave_out)


def here(folder):
    return {name: data for name, data in contents(folder).items() if name not in SUMMARY}


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    """A source file, and an index and pairs of it made on this machine."""
    root = tmp_path_factory.mktemp("local")
    (root / "source.yaml").write_text(SOURCE)
    source = root / "source.yaml"
    assert run("index", source, "--out", root / "index", *tiny()).code == 0
    index = ("--index", root / "index", *FREQUENCY)
    assert run("build", source, *index, "--out", root / "pairs", *tiny()).code == 0
    return root


def test_the_bytes_are_those_of_this_machine(commands, local, tmp_path):
    """Index and pairs made there by two processes, then selected anew, checked and told of."""
    source, two = local / "source.yaml", ("--workers", 2)
    done(commands.run("index", source, "--out", address("index"), *tiny(), *two))
    assert there(commands, "index") == here(local / "index")
    build = ("build", source, "--index", address("index"), *FREQUENCY)
    done(commands.run(*build, "--out", address("pairs"), *tiny(), *two))
    assert there(commands, "pairs") == here(local / "pairs")
    summary = done(commands.run(*build, "--out", address("pairs"), *tiny()))
    assert summary["shards_skipped"] == summary["shards"]
    for name in ("index", "pairs"):
        assert done(commands.run("verify", address(name), "--json"))["ok"]
    again = ("--threshold", "structure=none", "--json")
    done(commands.run("rethreshold", address("pairs"), "--out", address("again"), *again))
    assert run("rethreshold", local / "pairs", "--out", tmp_path / "again", *again).code == 0
    assert there(commands, "again") == here(tmp_path / "again")


def test_pictures_are_read_there(commands, tmp_path):
    pictures = make_collection(tmp_path / "pictures", 40)
    (pictures / "what?is#this.png").write_bytes((pictures / "good-000.png").read_bytes() + b"\0")
    (pictures / "empty.png").write_bytes(b"")
    (pictures / "same.png").write_bytes((pictures / "good-003.png").read_bytes())
    with commands.here():
        upload_folder(pictures, as_path(address("pictures")))
    found = done(commands.run("index", address("pictures"), "--out", tmp_path / "there", *tiny()))
    expected = index_command(pictures, tmp_path / "here").counts
    assert (found["indexed"], found["rejects"]) == (expected["indexed"], expected["rejects"])
    for name in ("img_emb/img_emb_00000.npy", "image.index", "structure/structure_00000.npy"):
        assert (tmp_path / "there" / name).read_bytes() == (tmp_path / "here" / name).read_bytes()


def test_a_data_set_is_read_there(commands, told_world, tmp_path):
    """Told of, edited and evaluated: what comes of it is what comes of the same data set here."""
    with commands.here():
        upload_folder(told_world / "told", as_path(address("told")))
    sheet = ("report", address("told"), "--sheet", address("sheet.png"), "--json")
    assert done(commands.run(*sheet))["pairs"] > 10
    with commands.here():
        pictures = as_path(address("sheet.png")).read_bytes()
        assert as_path(address("told/report.html")).read_text().startswith("<!doctype html>")
    drawn = run(
        "report",
        told_world / "told",
        "--out",
        tmp_path / "page.html",
        "--sheet",
        tmp_path / "sheet.png",
    )
    assert drawn.code == 0, drawn.err
    assert (tmp_path / "sheet.png").read_bytes() == pictures
    preset = ("--preset", told_world / "tiny.yaml")
    done(
        commands.run(
            "edit-images",
            address("told"),
            "--out",
            address("edits"),
            *preset,
            "--editor",
            "copy",
            "--json",
        )
    )
    edited = run(
        "edit-images", told_world / "told", "--out", tmp_path / "edits", *preset, "--editor", "copy"
    )
    assert edited.code == 0, edited.err
    assert there(commands, "edits", leave_out=()) == contents(tmp_path / "edits")
    flags = ("--editors", "copy", "--seeds", 0, "--edits", 4, "--features", "clip", *preset)
    found = done(
        commands.run("evaluate", address("told"), "--out", tmp_path / "there", *flags, "--json")
    )
    expected = run("evaluate", told_world / "told", "--out", tmp_path / "here", *flags, "--json")
    assert found == expected.counts


@pytest.mark.parametrize(("command", "upload"), [("index", 12), ("build", 6)])
def test_a_command_that_is_killed_goes_on(server, commands, local, tmp_path, command, upload):
    processes = []

    def kill(number):
        if number == upload:
            processes[0].kill()
            return "cut"
        return None

    proxy = Proxy(server.port, Faults(on_put=kill))
    led = Commands(proxy.endpoint, tmp_path / "cache", lead=google_environment)
    name = "index" if command == "index" else "pairs"
    more = () if command == "index" else ("--index", local / "index", *FREQUENCY)
    words = (command, local / "source.yaml", *more, "--out", address(name), *tiny())
    processes.append(led.start(*words))
    processes[0].communicate(timeout=280)
    proxy.close()
    assert processes[0].returncode < 0
    part = there(commands, name)
    assert "COMPLETED" not in part
    wanted = here(local / name)
    assert all(wanted[each] == data for each, data in part.items() if each != "pairloom.json")
    summary = done(commands.run(*words))
    assert summary.get("parts_skipped", summary.get("shards_skipped")) >= 1
    assert there(commands, name) == wanted


def test_a_bucket_that_is_not_there_is_one_line(commands, tmp_path):
    code, _, lines = commands.run(
        "index", make_collection(tmp_path / "pictures", 2), "--out", "gs://no-bucket/index", *tiny()
    )
    assert code == 1
    (line,) = lines
    assert line.startswith("pairloom: error: cannot write gs://no-bucket/index/")
