"""Builds the still life on real engines, kills what can be killed, and compares all bytes.

    python cluster/trial.py [--folder DIR] [--only NAME ...] [--sources 48]

Reference is this machine's own run. Then the same build runs on Flink and on Spark in the job
server's process, on a cluster of two TaskManagers and on Prism, and on the last two with everything
on an S3 server of this machine. On the cluster a worker, a TaskManager and the driver are killed
outright, once while the networks work and once while shards are written; a worker also before it
has reported to the engine, which Flink by itself waits for without end. Each trial must end with
the reference's bytes; after a killed driver a second run takes over. The last line is JSON.
`cluster/assemble.py` has made the engines; the cluster is started, and stopped again.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import flink_cluster
from places import FLINK_LINE, Places, find_places
from processes import children, end
from trial_build import (
    SECONDS_A_RUN,
    Build,
    TrialError,
    moments,
    prepare,
    receipts_of,
    require_kept,
    wait_for,
)
from trial_stores import on_stores, s3_server


def kill_worker(build: Build) -> None:
    """Kills a Python worker that a pool has started.

    Raises:
        TrialError: there is none.
    """
    workers = build.workers()
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
        TrialError: it does not, or shards that were whole are made again.
    """
    process = build.start(name, flink_cluster.flags(build.places))
    try:
        wait_for(f"{name}: {moment}", moments(build, name)[moment])
        kill(build)
        before = receipts_of(build.work / name)
        build.finish(process, name)
        require_kept(build.work / name, before)
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
        before = receipts_of(build.work / name)
        build.run(name, [])
        build.compare(name)
        require_kept(build.work / name, before)
        wait_for(f"{name}: the end of the lost job", lambda: not running_jobs())
    finally:
        for server in servers:
            with suppress(ProcessLookupError):
                os.kill(server, signal.SIGKILL)


def index_few(build: Build, name: str) -> int:
    """An index of few shards, which are handed out batch by batch; how many files it has.

    Raises:
        TrialError: it fails, has other bytes, or nothing is heard of it before a part is whole.
    """
    process = build.start_index(name, "few.yaml", flink_cluster.flags(build.places))
    try:
        wait_for(f"{name}: the workers' first word", lambda: build.settled(name) > 0)
        if list((build.work / name / "metadata").glob("*.parquet")):
            raise TrialError(f"{name}: a part was whole before its workers told of it")
        build.finish(process, name)
    finally:
        end_driver(process)
    return build.compare(name, "few-reference")


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
    """The build says within two minutes of what it cannot have, with `said` in a line, and ends.

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
    log = build.work / f"{name}.log"
    try:
        wait_for(f"{name}: a line with {said}", lambda: said in log.read_text(), seconds=120)
        with suppress(ProcessLookupError):  # it may wait for a worker some minutes more
            os.killpg(process.pid, signal.SIGINT)
        if process.wait(60) == 0:
            raise TrialError(f"{name}: must fail")
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
        "spark-local": [
            "--runner=SparkRunner",
            "--",
            "--spark_master_url=local[2]",
            f"--spark_job_server_jar={places.spark_job_server}",
        ],
        "prism": ["--runner=PrismRunner", "--", f"--prism_location={places.prism}"],
    }


def trials(build: Build) -> dict[str, Callable[[], int | None]]:
    """All trials by name; one that compares bytes itself gives how many files it has compared."""
    found: dict[str, Callable[[], int | None]] = {}
    for name, flags in engine_flags(build.places).items():
        found[name] = lambda name=name, flags=flags: build.run(name, flags)  # type: ignore[misc]
    for name in ("flink-cluster", "prism"):
        flags = engine_flags(build.places)[name]
        found[f"{name}-stores"] = lambda n=f"{name}-stores", f=flags: on_stores(build, n, f)  # type: ignore[misc]
    found["index-few-shards"] = lambda: index_few(build, "index-few-shards")
    found["worker-starting"] = lambda: survive(build, "worker-starting", "starting", kill_worker)
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
    with (
        tempfile.TemporaryDirectory(prefix="pairloom-trial-") as work,
        s3_server(Path(work)),  # before the pools, which are led there by the environment
        running_cluster(places),
    ):
        build = Build(Path(work), places)
        prepare(build, arguments.sources)
        known = trials(build)
        for name in arguments.only or known:
            began = time.monotonic()
            try:
                files = known[name]() or build.compare(name)
                said = f"{files} files, the same bytes"
            except (TrialError, subprocess.TimeoutExpired) as error:
                said = f"failed: {error}"
            outcomes[name] = said
            print(f"{name}: {said} ({time.monotonic() - began:.0f} s)", flush=True)
    print(json.dumps(outcomes, sort_keys=True))
    return int(any(said.startswith("failed") for said in outcomes.values()))


if __name__ == "__main__":
    sys.exit(main())
