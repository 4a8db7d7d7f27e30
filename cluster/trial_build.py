"""The build that every trial makes, compared with the one that this machine makes by itself."""

import hashlib
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from places import Places

SECONDS_A_RUN = 600.0
POOL = "kind: still-life\ncount: 160\nshard_size: 20\ntold: true\ntwo_objects_percent: 0\n"
SOURCE = "kind: still-life\ncount: {count}\nstart: 100\nshard_size: 4\ntold: true\n"
OPTIONS = ("--captions", "source", "--batch-size", "4")
NOT_COMPARED = "run_summary.json"
"""How long things took: in no hash, and never the same twice."""


class TrialError(Exception):
    """A trial that did not end as it must."""


@dataclass(frozen=True)
class Build:
    """The build that all trials make, from files in `work`."""

    work: Path
    places: Places

    def command(self, name: str, flags: list[str]) -> list[str]:
        """The command that makes it in the folder `name`."""
        source, index = self.work / "source.yaml", self.work / "index"
        words = ["build", str(source), "--index", str(index), "--out", str(self.work / name)]
        return [sys.executable, "-m", "pairloom", *words, *OPTIONS, *flags]

    def start(self, name: str, flags: list[str]) -> "subprocess.Popen[bytes]":
        """Starts it in a process group of its own; what it says goes to a file beside `name`."""
        with (self.work / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                self.command(name, flags), stdout=log, stderr=log, start_new_session=True
            )

    def run(self, name: str, flags: list[str]) -> None:
        """Makes it.

        Raises:
            TrialError: it fails.
        """
        self.finish(self.start(name, flags), name)

    def finish(self, process: "subprocess.Popen[bytes]", name: str) -> None:
        """Waits for its end.

        Raises:
            TrialError: it fails.
        """
        code = process.wait(SECONDS_A_RUN)
        if code:
            said = (self.work / f"{name}.log").read_text(errors="replace").strip().splitlines()
            raise TrialError(f"{name} ended with {code}: {said[-1] if said else 'no word'}")

    def compare(self, name: str) -> int:
        """How many files of the folder `name` are those of the reference: all.

        Raises:
            TrialError: one is another, or is missing.
        """
        wanted, found = hashes(self.work / "reference"), hashes(self.work / name)
        differing = sorted(
            each for each in wanted.keys() | found.keys() if wanted.get(each) != found.get(each)
        )
        if differing:
            raise TrialError(f"{name}: {len(differing)} files differ, first {differing[0]}")
        return len(found)

    def receipts(self, name: str) -> int:
        """How many shards are whole in the folder `name`."""
        return len(receipts_of(self.work / name))

    def has_begun(self, name: str) -> bool:
        """Whether a worker is at work on the folder `name`."""
        return any((self.work / name / ".pairloom").glob("begun-*"))


def hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of every file of a data set, by name."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.iterdir())
        if path.is_file() and not path.name.startswith(".") and path.name != NOT_COMPARED
    }


def wait_for(what: str, condition: Callable[[], bool], seconds: float = 240.0) -> None:
    """Waits until `condition` holds.

    Raises:
        TrialError: it takes too long.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TrialError(f"{what} took more than {seconds:.0f} s")
        time.sleep(0.05)


def moments(build: Build, name: str) -> dict[str, Callable[[], bool]]:
    """When to strike: while networks work on the first shards, or while shards are written."""
    return {
        "computing": lambda: build.has_begun(name) and build.receipts(name) == 0,
        "writing": lambda: build.receipts(name) >= 2,
    }


def receipts_of(folder: Path) -> list[Path]:
    """The receipts in a folder."""
    return sorted(folder.glob("shard-*.json"))


def prepare(build: Build, sources: int) -> None:
    """Makes the index and the reference.

    Raises:
        TrialError: it fails.
    """
    (build.work / "pool.yaml").write_text(POOL)
    (build.work / "source.yaml").write_text(SOURCE.format(count=sources))
    words = ["index", str(build.work / "pool.yaml"), "--out", str(build.work / "index")]
    command = [sys.executable, "-m", "pairloom", *words, *OPTIONS]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=SECONDS_A_RUN)
    build.run("reference", [])
