"""The log of a job on other machines: what Beam and the engine say, and tracebacks, in a file."""

import logging
import shutil
import tempfile
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from indexes.fence import RUNNING_FOLDER
from indexes.storage.paths import is_stored

LOG_FILE = "job.log"


def log_path(folder: Path) -> Path:
    """Where the log of a job that fills the local `folder` lies."""
    return folder / RUNNING_FOLDER / LOG_FILE


@contextmanager
def keep_log(folder: Path | None) -> Iterator[Path | None]:
    """Sends all that is logged in the block to the log of `folder`, made anew, and nowhere else.

    So go tracebacks of other threads.

    A store cannot be written to line by line: the log of a folder there lies on this machine, and
    stays there only if the block ends with an error. Gives the log's path; without a folder, or
    where none can be written, nothing is kept, and it is None.
    """
    path = None
    handler: logging.Handler = logging.NullHandler()
    with suppress(OSError):
        if folder is not None:
            path = _make_place(folder)
            handler = logging.FileHandler(path, mode="w", encoding="utf-8")
    path = None if isinstance(handler, logging.NullHandler) else path
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    hook, threading.excepthook = threading.excepthook, _log_thread
    try:
        yield path
    finally:
        threading.excepthook = hook
        root.handlers[:] = before
        root.setLevel(level)
        handler.close()
    if folder is not None and path is not None and is_stored(folder):
        shutil.rmtree(path.parent, ignore_errors=True)


def _log_thread(raised: threading.ExceptHookArgs) -> None:
    """Keeps the traceback of a thread off the terminal: Beam's fail when a job server is gone."""
    if raised.exc_value is not None:
        log_error(raised.exc_value)


def _make_place(folder: Path) -> Path:
    """Where the log of `folder` can be written."""
    if is_stored(folder):
        return Path(tempfile.mkdtemp(prefix="pairloom-job-")) / LOG_FILE
    path = log_path(folder)
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def log_error(error: BaseException) -> None:
    """Writes `error` with its traceback down where the log is kept."""
    logging.getLogger(__name__).error("%s", "".join(traceback.format_exception(error)))
