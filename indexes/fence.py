"""Whose turn it is to fill a folder: runs are numbered, and only the latest may write.

A job on other machines goes on when the process that began it is gone. The next run takes a new
turn, and what the earlier one still writes is refused by its own workers, which look before they
begin a shard and once more before each of its files gets its name, the receipt that makes the shard
count among them. In the moment between looking and naming an earlier run can still put a file, one
of the same settings and so of the same bytes; a run of other settings sees a file that is not its
receipt's, or removes a receipt that it does not know, in the end.
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
NOBODY = ""
"""The token of a turn that no run has."""
BEGUN_PREFIX = "begun-"
"""So begins the name of the file into which the first worker of a run writes that it is at work."""
SETTLED_PREFIX = "settled-"
"""So begin the names of the files in which workers tell how far they are, see `indexes.settled`."""


class FencedError(PairloomError):
    """A worker of a run whose turn is over."""


class TurnError(PairloomError):
    """It cannot be seen whose turn it is: not now, because of the disk, the network or the store.

    No run is over because of that: what was to be done is to be tried again.
    """


@dataclass(frozen=True)
class Fence:
    """One run's leave to fill `folder`: turn `number`, told from all others by `token`."""

    folder: str
    number: int
    token: str

    def check(self) -> None:
        """Makes sure that this run is still the latest.

        Raises:
            FencedError: another one has begun, this one was given up, or the folder is not what it
                was.
            TurnError: it cannot be seen now.
        """
        found = _read_turn(as_path(self.folder))
        if found != (self.number, self.token):
            now = "nobody's" if found is None or found[1] == NOBODY else f"run {found[0]}'s"
            raise FencedError(
                f"{self.folder} is {now} to fill: run {self.number} is over and writes nothing more"
            )

    def is_over(self) -> bool:
        """Whether another run has begun, so that this one should do nothing more.

        Raises:
            TurnError: it cannot be seen now.
        """
        return _read_turn(as_path(self.folder)) != (self.number, self.token)

    def give_up(self) -> None:
        """Makes it nobody's turn, where it is still this run's: what goes on of it is over.

        Raises:
            TurnError, IndexFolderError: it cannot be read or written down.
        """
        folder = as_path(self.folder)
        if _read_turn(folder) == (self.number, self.token):
            _write_turn(folder, self.number, NOBODY)

    def begin(self) -> None:
        """Says that a worker of this run is at work; only the first time is it written down.

        A worker that does not see the folder, or whose run is over, says nothing.

        Raises:
            TurnError: it cannot be written down now.
        """
        path = _begun_file(self)
        try:
            if path.read_bytes() == b"":
                path.write_bytes(b"begun")
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:  # who waits for the sign would cancel a job that is at work
            raise TurnError(f"cannot write {path}: {error.strerror or error}") from error

    def has_begun(self) -> bool:
        """Whether a worker of this run is, or was, at work; as far as can be seen now."""
        # What is in a file that was there before is seen at once on a network's file system too,
        # where a new file may be seen a minute late.
        try:
            return _begun_file(self).read_bytes() != b""
        except OSError:
            return False

    def remove_signs(self) -> None:
        """Removes what the workers of this run have told, when it has ended."""
        _remove_signs(as_path(self.folder), self.token)


def take_turn(folder: Path) -> Fence:
    """Makes the caller's the latest run in `folder`; all others are over.

    Raises:
        OSError, TurnError, IndexFolderError: it cannot be read or written down.
    """
    running = folder / RUNNING_FOLDER
    running.mkdir(parents=True, exist_ok=True)
    found = _read_turn(folder)
    fence = Fence(str(folder), 1 if found is None else found[0] + 1, secrets.token_hex(8))
    _remove_signs(folder)
    _begun_file(fence).write_bytes(b"")
    _write_turn(folder, fence.number, fence.token)
    return fence


def _remove_signs(folder: Path, token: str = "") -> None:
    """Removes what workers of the run of `token` have told; without one, of whatever run."""
    running = folder / RUNNING_FOLDER
    with suppress(OSError):
        for prefix in (BEGUN_PREFIX, SETTLED_PREFIX):
            for sign in list(running.glob(f"{prefix}{token}*")):
                with suppress(OSError):
                    sign.unlink()


def has_turns(folder: Path) -> bool:
    """Whether a run on other machines has ever filled `folder`: it may still be at it."""
    return (folder / RUNNING_FOLDER / TURN_FILE).exists()


def _begun_file(fence: Fence) -> Path:
    return as_path(fence.folder) / RUNNING_FOLDER / f"{BEGUN_PREFIX}{fence.token}"


def _write_turn(folder: Path, number: int, token: str) -> None:
    write_json(folder / RUNNING_FOLDER / TURN_FILE, {"number": number, "token": token})


def _read_turn(folder: Path) -> tuple[int, str] | None:
    """Number and token of the latest run; None where there is none, or none that makes sense.

    Raises:
        TurnError: there may be one, and it cannot be read now.
    """
    path = folder / RUNNING_FOLDER / TURN_FILE
    try:
        found = json.loads(path.read_bytes())
        return int(found["number"]), str(found["token"])
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise TurnError(f"cannot read {path}: {error.strerror or error}") from error
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
