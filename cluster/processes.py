"""Processes that outlive the script that starts them: started, found and ended by files of ids."""

import os
import signal
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

SECONDS_TO_END = 15.0


def launch(
    folder: Path, name: str, command: Sequence[str], *, variables: Mapping[str, str] | None = None
) -> int:
    """Starts `command`, unless it runs, in a process group of its own; its id, which is kept.

    What it says goes into `name.log` in `folder`.
    """
    running = find(folder, name)
    if running is not None:
        return running
    log = str(folder / f"{name}.log")
    # Nobody waits for it: it outlives this script.
    process = os.posix_spawnp(
        command[0],
        list(command),
        {**os.environ, **(variables or {})},
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
    )
    (folder / f"{name}.pid").write_text(f"{process} {_began(process)}")
    return process


def find(folder: Path, name: str) -> int | None:
    """The id of the process `name`, if it is still the one that was started."""
    try:
        number, began = (folder / f"{name}.pid").read_text().split()
        return int(number) if _began(int(number)) == began else None
    except (OSError, ValueError):
        return None


def end(folder: Path, name: str, number: int = signal.SIGTERM) -> bool:
    """Ends the process `name` and its group; whether there was one."""
    process = find(folder, name)
    if process is None:
        return False
    with suppress(ProcessLookupError):
        os.killpg(process, number)
    deadline = time.monotonic() + SECONDS_TO_END
    while find(folder, name) is not None:
        if time.monotonic() > deadline:
            with suppress(ProcessLookupError):
                os.killpg(process, signal.SIGKILL)
        with suppress(ChildProcessError):
            os.waitpid(process, os.WNOHANG)
        time.sleep(0.1)
    return True


def names(folder: Path) -> list[str]:
    """The names of all processes that were started, whether they run or not."""
    return sorted(path.stem for path in folder.glob("*.pid"))


def children(process: int) -> list[int]:
    """The ids of the processes that `process` has started and that still run."""
    try:
        tasks = Path(f"/proc/{process}/task").iterdir()
        found = [number for task in tasks for number in (task / "children").read_text().split()]
    except OSError:
        return []
    return [int(number) for number in found if _began(int(number)) is not None]


def _began(process: int) -> str | None:
    """When `process` began, in the kernel's ticks: no two with one id agree; None if it is gone."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else fields[19]
