"""The command line run in this process; small collections, networks and indexes for it."""

import contextlib
import functools
import io
import json
import logging
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from fakes.folders import rows_of
from fakes.pictures import picture_bytes
from fakes.presets import save_preset_file
from pipelines.main import main

CAPTIONS = (
    "a red apple on the bus",
    "a green apple on the bus",
    "a blue apple on the bus",
    "a red pear on the bus",
    "a green pear on the bus",
    "a red apple on the train",
)
"""Every one of these differs from another in one related word, so each picture has a pair."""


@dataclass(frozen=True)
class Outcome:
    """How a command ended and what it said."""

    code: int
    out: str
    err: str

    @property
    def counts(self):
        """The last line of stdout, as JSON."""
        return json.loads(self.out.splitlines()[-1])

    @property
    def error(self):
        """The one line that a failed command says, without its beginning."""
        assert self.code not in (0, None), f"did not fail: {self.out}"
        lines = self.err.splitlines()
        assert len(lines) == 1, f"not one line: {self.err}"
        assert "Traceback" not in self.err
        begin = "pairloom: error: "
        assert lines[0].startswith(begin), lines[0]
        return lines[0].removeprefix(begin)


def loaded_by(*words):
    """What `pairloom WORDS` says in a Python of its own, and the modules that this then has."""
    code = (
        "import sys\n"
        "from pairloom.__main__ import main\n"
        "assert main(sys.argv[1:]) == 0\n"
        "print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, check=True
    )
    said, modules = done.stdout.rstrip().rsplit("\n", 1)
    return said, set(modules.split())


def run(*words):
    """What `pairloom WORDS` does."""
    out, err = io.StringIO(), io.StringIO()
    level = logging.getLogger().level
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                code = main([str(word) for word in words])
            except SystemExit as leaving:
                code = leaving.code
    finally:
        logging.getLogger().setLevel(level)
    return Outcome(code, out.getvalue(), err.getvalue())


def add_picture(folder, name, data, caption=None):
    """A file called `name`, with words beside it where `caption` is given."""
    path = Path(folder) / name
    path.write_bytes(data)
    if caption is not None:
        path.with_suffix(".txt").write_text(caption, encoding="utf-8")
    return path


def make_collection(folder, count=6):
    """A folder of `count` good pictures with captions that have pairs among themselves."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        caption = CAPTIONS[number % len(CAPTIONS)]
        add_picture(folder, f"good-{number:03d}.png", picture_bytes(number), caption)
    return folder


@functools.cache
def _shared():
    """A folder for this test run, removed at its end."""
    holder = tempfile.TemporaryDirectory(prefix="pairloom-tests-")
    return holder, Path(holder.name)


@functools.cache
def preset_file():
    """A preset of networks that run in a millisecond and know nothing."""
    return save_preset_file(_shared()[1] / "preset")


@functools.cache
def _pool():
    root = _shared()[1]
    pool = make_collection(root / "pool")
    index = root / "index"
    assert index_command(pool, index).code == 0
    return pool, index


def pool_folder():
    """The good collection behind `index_folder`; not to be changed."""
    return _pool()[0]


def index_folder():
    """A finished index of `pool_folder`; not to be changed."""
    return _pool()[1]


def copy_of_index(folder):
    """The same index in a place where it may be spoilt."""
    return Path(shutil.copytree(index_folder(), folder))


def index_command(source, out, *more):
    """`pairloom index` with the tiny networks and the source's own captions."""
    flags = ("--preset", preset_file(), "--captions", "source", "--json")
    return run("index", source, "--out", out, *flags, *more)


def build_command(source, out, *more, index=None):
    """`pairloom build` likewise, on the shared index unless told otherwise."""
    flags = ("--preset", preset_file(), "--captions", "source", "--senses", "frequency", "--json")
    return run("build", source, "--index", index or index_folder(), "--out", out, *flags, *more)


def refused_source(source, tmp_path):
    """The line with which both commands refuse `source`, without leaving anything behind."""
    lines = []
    for command in (index_command, build_command):
        outcome = command(source, tmp_path / "refused")
        lines.append(outcome.error)
        assert not (tmp_path / "refused").exists()
    assert lines[0] == lines[1]
    return lines[0]


def verify(folder):
    """`pairloom verify`."""
    return run("verify", folder, "--json")


def rejects_of(folder):
    """The rows of all reject files of a data set or an index, in order."""
    paths = sorted(Path(folder).rglob("rejects*.parquet"))
    return [row for path in paths for row in pq.read_table(path).to_pylist()]


def pairs_of(folder):
    """The rows of all pairs files of a data set, without their pictures."""
    columns = ["source_key", "target_key", "caption", "edit_prompt", "number"]
    return rows_of(folder, "pairs", columns)
