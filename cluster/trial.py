"""Builds the still life on real engines, kills what can be killed, and compares all bytes.

    python cluster/trial.py [--folder DIR] [--only NAME ...] [--sources 48]

Reference is this machine's own run. Then the same build runs on Flink in the job server's process,
on a cluster of two TaskManagers and on Prism. On the cluster a worker, a TaskManager and the driver
are killed outright, once while the networks work and once while shards are written. Each trial must
end with the reference's bytes; after a killed driver a second run takes over. The last line is
JSON. `cluster/assemble.py` has made the engines; the cluster is started, and stopped again.
"""

import argparse
import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import flink_cluster
from places import FLINK_LINE, Places, find_places
from processes import children, end, find

SECONDS_A_RUN = 600.0
_POOL = "kind: still-life\ncount: 160\nshard_size: 20\ntold: true\ntwo_objects_percent: 0\n"
_SOURCE = "kind: still-life\ncount: {count}\nstart: 100\nshard_size: 4\ntold: true\n"
_OPTIONS = ("--captions", "source", "--batch-size", "4")
_NOT_COMPARED = "run_summary.json"
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
        return [sys.executable, "-m", "pairloom", *words, *_OPTIONS, *flags]

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
        return len(list((self.work / name).glob("shard-*.json")))

    def has_begun(self, name: str) -> bool:
        """Whether a worker is at work on the folder `name`."""
        return any((self.work / name / ".pairloom").glob("begun-*"))


def hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of every file of a data set, by name."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.iterdir())
        if path.is_file() and not path.name.startswith(".") and path.name != _NOT_COMPARED
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


def kill_worker(build: Build) -> None:
    """Kills a Python worker that a pool has started.

    Raises:
        TrialError: there is none.
    """
    pool = find(build.places.running, "pool-0")
    workers = children(pool) if pool is not None else []
    if not workers:
        raise TrialError("no worker is running")
    os.kill(workers[-1], signal.SIGKILL)


def kill_task_manager(build: Build) -> None:
    """Kills a TaskManager and starts it again, as a supervisor would."""
    end(build.places.running, "task-manager-0", signal.SIGKILL)
    flink_cluster.start_task_manager(build.places, 0)


def survive(build: Build, name: str, moment: str, kill: Callable[[Build], None]) -> None:
    """The build goes on by itself when something of the cluster is killed.

    Raises:
        TrialError: it does not.
    """
    process = build.start(name, flink_cluster.flags(build.places))
    try:
        wait_for(f"{name}: {moment}", moments(build, name)[moment])
        kill(build)
        build.finish(process, name)
    finally:
        end_driver(process)
        flink_cluster.start(build.places, 2)


def lose_driver(build: Build, name: str, moment: str) -> None:
    """The driver is killed; a second run takes the folder over while the job still runs.

    Raises:
        TrialError: shards that were whole are made again, or the lost job spoils something.
    """
    flags = flink_cluster.flags(build.places)
    process = build.start(name, flags)
    servers: list[int] = []
    try:
        wait_for(f"{name}: {moment}", moments(build, name)[moment])
        servers = children(process.pid)
        process.kill()
        process.wait(SECONDS_A_RUN)
        before = {path: path.stat().st_mtime_ns for path in receipts_of(build.work / name)}
        build.run(name, [])
        build.compare(name)
        again = [path for path, when in before.items() if path.stat().st_mtime_ns != when]
        if again:
            raise TrialError(f"{name}: {again[0].name} was whole, and was made again")
        wait_for(f"{name}: the end of the lost job", lambda: not running_jobs())
    finally:
        for server in servers:
            with suppress(ProcessLookupError):
                os.kill(server, signal.SIGKILL)


def receipts_of(folder: Path) -> list[Path]:
    """The receipts in a folder."""
    return sorted(folder.glob("shard-*.json"))


def interrupt(build: Build, name: str, moment: str) -> None:
    """Ctrl-C cancels the job on the cluster; the next run goes on from what is whole.

    Raises:
        TrialError: the job goes on, or the driver does not end as it should.
    """
    flags = flink_cluster.flags(build.places)
    process = build.start(name, flags)
    wait_for(f"{name}: {moment}", moments(build, name)[moment])
    os.killpg(process.pid, signal.SIGINT)
    code = process.wait(60)
    if code != 128 + signal.SIGINT:
        raise TrialError(f"{name}: the driver must end with 130, got {code}")
    wait_for(f"{name}: the end of the cancelled job", lambda: not running_jobs(), seconds=30)
    build.run(name, flags)


def refuse(build: Build, name: str, said: str) -> None:
    """The build says within two minutes of what it cannot have, with `said` in the last line.

    Raises:
        TrialError: it takes longer, says something else or does not fail.
    """
    flags = flink_cluster.flags(build.places)
    if name == "no-master":
        flags = [flag.replace(flink_cluster.REST, said) for flag in flags]
    else:
        for pool in ("pool-0", "pool-1"):
            end(build.places.running, pool)
    process = build.start(name, flags)
    try:
        code = process.wait(120)
        line = (build.work / f"{name}.log").read_text(errors="replace").strip().splitlines()[-1]
        if code == 0 or said not in line:
            raise TrialError(f"{name}: must fail and name {said}, ended with {code}: {line}")
        wait_for(f"{name}: the end of the cancelled job", lambda: not running_jobs(), seconds=60)
        build.run(name, [])
    finally:
        end_driver(process)
        flink_cluster.start(build.places, 2)


def running_jobs() -> list[str]:
    """The names of the jobs that the cluster has not ended."""
    jobs = flink_cluster.ask("/jobs/overview")["jobs"]
    return [job["name"] for job in jobs if job["state"] not in ("FINISHED", "CANCELED", "FAILED")]


def end_driver(process: "subprocess.Popen[bytes]") -> None:
    """Ends a driver that a trial has left, and its job server."""
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(60)


def engine_flags(places: Places) -> dict[str, list[str]]:
    """The engines that build without anything being killed, and their flags."""
    local = ["--flink_master=[local]", f"--flink_version={FLINK_LINE}"]
    return {
        "flink-local": [
            "--runner=FlinkRunner",
            "--",
            *local,
            f"--flink_job_server_jar={places.job_server}",
        ],
        "flink-cluster": flink_cluster.flags(places),
        "prism": ["--runner=PrismRunner", "--", f"--prism_location={places.prism}"],
    }


def trials(build: Build) -> dict[str, Callable[[], None]]:
    """All trials by name."""
    found: dict[str, Callable[[], None]] = {}
    for name, flags in engine_flags(build.places).items():
        found[name] = lambda name=name, flags=flags: build.run(name, flags)  # type: ignore[misc]
    kills = {"worker": kill_worker, "task-manager": kill_task_manager}
    for moment in ("computing", "writing"):
        for victim, kill in kills.items():
            name = f"{victim}-{moment}"
            found[name] = lambda n=name, m=moment, k=kill: survive(build, n, m, k)  # type: ignore[misc]
        name = f"driver-{moment}"
        found[name] = lambda n=name, m=moment: lose_driver(build, n, m)  # type: ignore[misc]
    found["no-master"] = lambda: refuse(build, "no-master", "127.0.0.1:9")
    pool = f"{flink_cluster.POOL_NAME}:{flink_cluster.POOL_PORT}"
    found["no-pool"] = lambda: refuse(build, "no-pool", pool)
    found["ctrl-c-writing"] = lambda: interrupt(build, "ctrl-c-writing", "writing")
    return found


@contextmanager
def running_cluster(places: Places) -> Iterator[None]:
    """A cluster of two TaskManagers while the block runs."""
    flink_cluster.start(places, 2)
    try:
        yield
    finally:
        flink_cluster.stop(places)


def prepare(build: Build, sources: int) -> None:
    """Makes the index and the reference.

    Raises:
        TrialError: it fails.
    """
    (build.work / "pool.yaml").write_text(_POOL)
    (build.work / "source.yaml").write_text(_SOURCE.format(count=sources))
    words = ["index", str(build.work / "pool.yaml"), "--out", str(build.work / "index")]
    command = [sys.executable, "-m", "pairloom", *words, *_OPTIONS]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=SECONDS_A_RUN)
    build.run("reference", [])


def main() -> int:
    """Runs the trials that are asked for; 0 where all end as they must."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--folder", help="where cluster/assemble.py has put the engines")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these trials alone")
    parser.add_argument("--sources", type=int, default=48, help="pictures to build from")
    arguments = parser.parse_args()
    places = find_places(arguments.folder)
    outcomes: dict[str, str] = {}
    os.environ["OMP_NUM_THREADS"] = "1"
    with tempfile.TemporaryDirectory(prefix="pairloom-trial-") as work, running_cluster(places):
        build = Build(Path(work), places)
        prepare(build, arguments.sources)
        known = trials(build)
        for name in arguments.only or known:
            began = time.monotonic()
            try:
                known[name]()
                said = f"{build.compare(name)} files, the same bytes"
            except (TrialError, subprocess.TimeoutExpired) as error:
                said = f"failed: {error}"
            outcomes[name] = said
            print(f"{name}: {said} ({time.monotonic() - began:.0f} s)", flush=True)
    print(json.dumps(outcomes, sort_keys=True))
    return int(any(said.startswith("failed") for said in outcomes.values()))


if __name__ == "__main__":
    sys.exit(main())
