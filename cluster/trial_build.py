"""The build that every trial makes, compared with the one that this machine makes by itself."""

import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from places import Places
from processes import children, find

from indexes.fence import RUNNING_FOLDER, TURN_FILE, Fence
from indexes.settled import read_settled

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

    def start(self, name: str, flags: list[str]) -> "subprocess.Popen[bytes]":
        """Starts it into the folder `name`, in a process group of its own."""
        words = ["build", "source.yaml", "--index", "index", "--out", name]
        return self.start_command(name, [*words, *OPTIONS, *flags])

    def start_command(self, name: str, words: list[str]) -> "subprocess.Popen[bytes]":
        """Starts a command of pairloom; what it says goes to a file beside the folder `name`."""
        with (self.work / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "pairloom", *words],
                cwd=self.work,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def run(self, name: str, flags: list[str]) -> None:
        """Makes it.

        Raises:
            TrialError: it fails.
        """
        self.finish(self.start(name, flags), name)

    def run_index(self, name: str, source: str, flags: list[str]) -> None:
        """Makes an index of the source file `source` instead.

        Raises:
            TrialError: it fails.
        """
        self.finish(self.start_index(name, source, flags), name)

    def start_index(self, name: str, source: str, flags: list[str]) -> "subprocess.Popen[bytes]":
        """Starts it."""
        return self.start_command(name, ["index", source, "--out", name, *OPTIONS, *flags])

    def finish(self, process: "subprocess.Popen[bytes]", name: str) -> None:
        """Waits for its end.

        Raises:
            TrialError: it fails.
        """
        code = process.wait(SECONDS_A_RUN)
        if code:
            said = (self.work / f"{name}.log").read_text(errors="replace").strip().splitlines()
            raise TrialError(f"{name} ended with {code}: {said[-1] if said else 'no word'}")

    def compare(self, name: str, reference: str = "reference") -> int:
        """How many files of the folder `name` are those of the reference: all.

        Raises:
            TrialError: one is another, or is missing.
        """
        wanted, found = hashes(self.work / reference), hashes(self.work / name)
        differing = sorted(
            each for each in wanted.keys() | found.keys() if wanted.get(each) != found.get(each)
        )
        if differing:
            raise TrialError(f"{name}: {len(differing)} files differ, first {differing[0]}")
        return len(found)

    def receipts(self, name: str) -> int:
        """How many shards are whole in the folder `name`."""
        return len(receipts_of(self.work / name))

    def settled(self, name: str) -> int:
        """How many pictures the workers at work on the folder `name` have told of."""
        fence = self._fence(name)
        return read_settled(fence) if fence is not None else 0

    def has_begun(self, name: str) -> bool:
        """Whether a worker is at work on the folder `name`."""
        fence = self._fence(name)
        return fence is not None and fence.has_begun()

    def workers(self) -> list[int]:
        """The ids of the Python workers that the first TaskManager's pool has started."""
        pool = find(self.places.running, "pool-0")
        return children(pool) if pool is not None else []

    def _fence(self, name: str) -> Fence | None:
        """The latest run's leave to fill the folder `name`, as a worker of it has it."""
        folder = self.work / name
        try:
            found = json.loads((folder / RUNNING_FOLDER / TURN_FILE).read_bytes())
        except (OSError, ValueError):
            return None
        return Fence(str(folder), found["number"], found["token"])


def hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of every file of a data set or an index, by its path there."""
    names = (path.relative_to(folder) for path in sorted(folder.rglob("*")) if path.is_file())
    return {
        str(name): hashlib.sha256((folder / name).read_bytes()).hexdigest()
        for name in names
        if not str(name).startswith(".") and name.name != NOT_COMPARED
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
    """When to strike: before a worker has reported, while networks work, or while it is written."""
    return {
        "starting": lambda: bool(build.workers()),
        "computing": lambda: build.has_begun(name) and build.receipts(name) == 0,
        "writing": lambda: build.receipts(name) >= 2,
    }


def receipts_of(folder: Path) -> dict[str, int]:
    """When each receipt in a folder was written, by its name."""
    return {path.name: path.stat().st_mtime_ns for path in sorted(folder.glob("shard-*.json"))}


def require_kept(folder: Path, before: dict[str, int]) -> None:
    """Makes sure that no shard was made again whose receipt was there `before`.

    Raises:
        TrialError: one was.
    """
    now = receipts_of(folder)
    again = [name for name, when in before.items() if now.get(name) != when]
    if again:
        raise TrialError(f"{again[0]} was whole, and was made again")


def prepare(build: Build, sources: int) -> None:
    """Makes the index and the references.

    Raises:
        TrialError: it fails.
    """
    source = SOURCE.format(count=sources)
    (build.work / "pool.yaml").write_text(POOL)
    (build.work / "source.yaml").write_text(source)
    (build.work / "few.yaml").write_text(source.replace("shard_size: 4", "shard_size: 20"))
    build.run_index("index", "pool.yaml", [])
    build.run_index("few-reference", "few.yaml", [])
    build.run("reference", [])
