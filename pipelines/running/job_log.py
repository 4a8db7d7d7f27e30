"""The log of a job on other machines: what Beam and the engine say, and tracebacks, in a file."""

import logging
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from indexes.fence import RUNNING_FOLDER

LOG_FILE = "job.log"


def log_path(folder: Path) -> Path:
    """Where the log of a job that fills `folder` lies."""
    return folder / RUNNING_FOLDER / LOG_FILE


@contextmanager
def keep_log(path: Path | None) -> Iterator[None]:
    """Sends all that is logged in the block to the file at `path`, made anew, and nowhere else.

    Without a path, or where none can be written, nothing is kept.
    """
    handler: logging.Handler = logging.NullHandler()
    if path is not None:
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            handler = logging.FileHandler(path, mode="w", encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    try:
        yield
    finally:
        root.handlers[:] = before
        root.setLevel(level)
        handler.close()


def log_error(error: BaseException) -> None:
    """Writes `error` with its traceback down where the log is kept."""
    logging.getLogger(__name__).error("%s", "".join(traceback.format_exception(error)))
