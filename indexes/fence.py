"""Whose turn it is to fill a folder: runs are numbered, and only the latest may write.

A job on other machines goes on when the process that began it is gone. The next run takes a new
turn, and what the earlier one still writes is refused by its own workers, which look before they
write and once more before they put down the receipt that makes a shard count. In the moment between
looking and writing an earlier run can still put a receipt, one of the same settings and so of the
same bytes; a run of other settings removes what it does not know in the end.
"""

import json
import secrets
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from indexes.errors import PairloomError
from indexes.layout import write_json
from indexes.storage.paths import as_path

RUNNING_FOLDER = ".pairloom"
"""What a run on other machines keeps in the folder it fills; no part of what it makes."""
TURN_FILE = "turn.json"


class FencedError(PairloomError):
    """A worker of a run whose turn is over."""


@dataclass(frozen=True)
class Fence:
    """One run's leave to fill `folder`: turn `number`, told from all others by `token`."""

    folder: str
    number: int
    token: str

    def check(self) -> None:
        """Makes sure that this run is still the latest.

        Raises:
            FencedError: another one has begun, or the folder is not what it was.
        """
        found = _read_turn(as_path(self.folder))
        if found != (self.number, self.token):
            now = "nobody's" if found is None else f"run {found[0]}'s"
            raise FencedError(
                f"{self.folder} is {now} to fill: run {self.number} is over and writes nothing more"
            )

    def is_over(self) -> bool:
        """Whether another run has begun, so that this one should do nothing more."""
        return _read_turn(as_path(self.folder)) != (self.number, self.token)

    def begin(self) -> None:
        """Says that a worker of this run is at work; only the first time is it written down."""
        path = _begun_file(self)
        if not path.exists():
            with suppress(OSError):  # a sign that is missing delays nobody but the one who waits
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()

    def has_begun(self) -> bool:
        """Whether a worker of this run is, or was, at work."""
        return _begun_file(self).exists()


def take_turn(folder: Path) -> Fence:
    """Makes the caller's the latest run in `folder`; all others are over.

    Raises:
        OSError: it cannot be written down.
    """
    running = folder / RUNNING_FOLDER
    running.mkdir(parents=True, exist_ok=True)
    found = _read_turn(folder)
    fence = Fence(str(folder), 1 if found is None else found[0] + 1, secrets.token_hex(8))
    write_json(running / TURN_FILE, {"number": fence.number, "token": fence.token})
    for stale in running.glob("begun-*"):
        with suppress(OSError):
            stale.unlink()
    return fence


def has_turns(folder: Path) -> bool:
    """Whether a run on other machines has ever filled `folder`: it may still be at it."""
    return (folder / RUNNING_FOLDER / TURN_FILE).exists()


def _begun_file(fence: Fence) -> Path:
    return as_path(fence.folder) / RUNNING_FOLDER / f"begun-{fence.token}"


def _read_turn(folder: Path) -> tuple[int, str] | None:
    """Number and token of the latest run; None where there is none that can be read."""
    try:
        found = json.loads((folder / RUNNING_FOLDER / TURN_FILE).read_bytes())
        return int(found["number"]), str(found["token"])
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None
