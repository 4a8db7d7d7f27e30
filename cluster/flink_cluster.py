"""A Flink cluster on this machine: a JobManager, TaskManagers, and a worker pool beside each.

    python cluster/flink_cluster.py start|stop|check|flags [--folder DIR] [--task-managers 2]

`flags` prints what a command of pairloom needs after its own words to run there. All files lie
below DIR; only processes whose ids are kept there are ended.
"""

import argparse
import json
import socket
import sys
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from places import FLINK_LINE, Places, find_places
from processes import end, find, launch, names

REST = "127.0.0.1:8081"
POOL_NAME = "pairloom-pool"
POOL_PORT = 50000
SECONDS_TO_START = 120.0
_OPENED = (
    "java.io",
    "java.lang",
    "java.lang.reflect",
    "java.net",
    "java.nio",
    "java.text",
    "java.time",
    "java.util",
    "java.util.concurrent",
    "java.util.concurrent.atomic",
    "java.util.concurrent.locks",
    "sun.nio.ch",
)
"""Packages that Flink looks into by reflection, which Java 17 forbids unless told."""
_JOB_MANAGER = "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint"
_TASK_MANAGER = "org.apache.flink.runtime.taskexecutor.TaskManagerRunner"
_LOGGING = """rootLogger.level = INFO
rootLogger.appenderRef.console.ref = Console
appender.console.name = Console
appender.console.type = CONSOLE
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{HH:mm:ss,SSS} %-5p %c{1} - %m%n
"""


def settings(places: Places) -> dict[str, str]:
    """Flink's settings. Without a restart strategy the first worker that dies ends the job."""
    host, _, port = REST.partition(":")
    return {
        "jobmanager.rpc.address": host,
        "jobmanager.rpc.port": "6123",
        "jobmanager.bind-host": host,
        "jobmanager.memory.process.size": "1g",
        "rest.address": host,
        "rest.bind-address": host,
        "rest.port": port,
        "taskmanager.host": host,
        "taskmanager.bind-host": host,
        "taskmanager.numberOfTaskSlots": "1",
        # What Flink's shell scripts work out, a TaskManager started without them must be told.
        "taskmanager.cpu.cores": "1",
        "taskmanager.memory.task.heap.size": "384m",
        "taskmanager.memory.task.off-heap.size": "64m",
        "taskmanager.memory.network.min": "64m",
        "taskmanager.memory.network.max": "64m",
        "taskmanager.memory.managed.size": "128m",
        "taskmanager.memory.framework.heap.size": "128m",
        "taskmanager.memory.framework.off-heap.size": "128m",
        "taskmanager.memory.jvm-metaspace.size": "256m",
        "taskmanager.memory.jvm-overhead.min": "128m",
        "taskmanager.memory.jvm-overhead.max": "128m",
        "heartbeat.interval": "2000",
        "heartbeat.timeout": "15000",
        "restart-strategy.type": "fixed-delay",
        "restart-strategy.fixed-delay.attempts": "10",
        "restart-strategy.fixed-delay.delay": "5 s",
        "io.tmp.dirs": str(places.running / "tmp"),
    }


def start(places: Places, task_managers: int) -> None:
    """Starts what does not run, and waits until every TaskManager has come.

    Raises:
        SystemExit: a part is missing, or the cluster does not come up.
    """
    if not places.flink.is_dir() or not places.job_server.is_file():
        raise SystemExit("Flink or its job server is missing: run cluster/assemble.py")
    running = places.running
    (running / "tmp").mkdir(parents=True, exist_ok=True)
    lines = [f"{name}: {value}\n" for name, value in settings(places).items()]
    (running / "flink-conf.yaml").write_text("".join(lines))
    (running / "log4j.properties").write_text(_LOGGING)
    launch(running, "job-manager", _java(places, _JOB_MANAGER, heap="512m"))
    for number in range(task_managers):
        start_task_manager(places, number)
    deadline = time.monotonic() + SECONDS_TO_START
    while count_slots() < task_managers:
        if time.monotonic() > deadline:
            raise SystemExit(f"not all of {task_managers} TaskManagers came: see {running}")
        time.sleep(0.5)


def start_task_manager(places: Places, number: int) -> None:
    """Starts TaskManager `number` and the pool beside it, where they do not run.

    A job names one address of pools for all TaskManagers: that of a name which is the machine
    itself on each. Here they share one, so every TaskManager has a file of host names in which the
    name is another address.
    """
    address = f"127.0.0.{number + 2}"
    script = str(Path(__file__).with_name("worker_pool.py"))
    launch(
        places.running,
        f"pool-{number}",
        [sys.executable, script, f"{address}:{POOL_PORT}"],
        variables={"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"},
    )
    hosts = places.running / f"hosts-{number}"
    hosts.write_text(f"127.0.0.1 localhost {socket.gethostname()}\n{address} {POOL_NAME}\n")
    java = _java(places, _TASK_MANAGER, heap="512m", more=[f"-Djdk.net.hosts.file={hosts}"])
    launch(places.running, f"task-manager-{number}", java)


def _java(places: Places, main: str, *, heap: str, more: Sequence[str] = ()) -> list[str]:
    opened = [f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in _OPENED]
    jars = f"{places.flink}/*"
    logging = f"-Dlog4j.configurationFile={places.running / 'log4j.properties'}"
    program = ["java", f"-Xmx{heap}", "-XX:+UseSerialGC", *opened, logging, *more, "-cp", jars]
    return [*program, main, "--configDir", str(places.running)]


def ask(path: str) -> Any:
    """What the JobManager says at `path` of its REST interface.

    Raises:
        OSError, ValueError: it says nothing, or no JSON.
    """
    with urllib.request.urlopen(f"http://{REST}{path}", timeout=10) as answer:
        return json.load(answer)


def count_slots() -> int:
    """How many slots the cluster has; none where it does not answer."""
    try:
        return int(ask("/overview")["slots-total"])
    except (OSError, ValueError, KeyError):
        return 0


def stop(places: Places) -> None:
    """Ends everything that `start` has started, the newest kind last."""
    for name in sorted(names(places.running), reverse=True):
        end(places.running, name)
        (places.running / f"{name}.pid").unlink(missing_ok=True)


def flags(places: Places) -> list[str]:
    """What follows a command's own words to run it on the cluster."""
    return [
        "--runner=FlinkRunner",
        "--",
        f"--flink_master={REST}",
        f"--flink_version={FLINK_LINE}",
        f"--flink_job_server_jar={places.job_server}",
        "--environment_type=EXTERNAL",
        f"--environment_config={POOL_NAME}:{POOL_PORT}",
    ]


def check(places: Places) -> int:
    """Says what runs and what does not; 0 where all that was started does."""
    missing = 0
    for name in names(places.running):
        process = find(places.running, name)
        missing += process is None
        print(f"{name}: {'ended, see its log' if process is None else f'process {process}'}")
    print(f"http://{REST}: {count_slots()} slots")
    return 1 if missing or not count_slots() else 0


def main() -> int:
    """Does what is asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("action", choices=("start", "stop", "check", "flags"))
    parser.add_argument("--folder", help="where all of it lies (default ~/.cache/pairloom/cluster)")
    parser.add_argument("--task-managers", type=int, default=2, choices=range(1, 9), metavar="N")
    arguments = parser.parse_args()
    places = find_places(arguments.folder)
    if arguments.action == "stop":
        stop(places)
    elif arguments.action == "start":
        start(places, arguments.task_managers)
    if arguments.action in ("start", "flags"):
        print(" ".join(flags(places)))
    return check(places) if arguments.action == "check" else 0


if __name__ == "__main__":
    sys.exit(main())
