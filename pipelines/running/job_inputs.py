"""What a job reads, as it was when the job began: kept beside its output, and compared.

A description says which source is read and how, and tells one job from another; the files there
may become others all the same. What they are is kept in `inputs.json` and in no hash of settings,
so that a job from before there was one goes on: of that nothing is known, and nothing is refused.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from indexes.layout import INPUTS_FILE
from pipelines.terminal.console import CommandError
from transforms.dataset.files import dump_json, write_bytes
from transforms.sources.listing import Listing, list_source


@dataclass(frozen=True, kw_only=True)
class JobInputs:
    """The files of a source and what tells an index from another; None for what is not known."""

    source: Listing | None = None
    index: str | None = None

    def difference(self, now: "JobInputs") -> str | None:
        """What is another thing `now`, for a line; None where nothing is, as far as is known."""
        if self.index is not None and now.index is not None and self.index != now.index:
            return "the index has been made anew since"
        changed = None
        if self.source is not None and now.source is not None:
            changed = self.source.difference(now.source)
        return f"the source has changed since ({changed})" if changed else None

    def write(self, folder: Path) -> None:
        """Keeps it in `folder`, where there is anything to keep.

        Raises:
            OutputError: it cannot be written.
        """
        kept: dict[str, Any] = {}
        if self.source is not None:
            files = dict(self.source.files)
            kept["source"] = {"fingerprint": self.source.fingerprint, "files": files}
        if self.index is not None:
            kept["index"] = {"fingerprint": self.index}
        if kept:
            write_bytes(folder / INPUTS_FILE, dump_json(kept))


def read_inputs(folder: Path) -> JobInputs:
    """What is kept in `folder`, nothing known where nothing is.

    Raises:
        CommandError: the file is there and cannot be used.
    """
    path = folder / INPUTS_FILE
    try:
        kept = json.loads(path.read_bytes())
        index = kept.get("index", {}).get("fingerprint")
        files = kept.get("source", {}).get("files")
        if files is not None and not all(isinstance(each, str) for each in files.values()):
            raise TypeError("files must be text by name")
    except FileNotFoundError:
        return JobInputs()
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror or error}") from error
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise CommandError(
            f"{path} is no record of what a job reads ({error}): remove it to go on without "
            "knowing whether that has changed"
        ) from error
    return JobInputs(
        source=None if files is None else Listing(files),
        index=index if isinstance(index, str) else None,
    )


def refuse_changed(source: object, before: Listing | None, *, done: str) -> None:
    """Makes sure that the files of `source` are still those of `before`.

    Asked once more in the end, for what is read in between may be either. `done` says in the error
    what was being done.

    Raises:
        CommandError: they are others.
        SourceError: they cannot be listed any more.
    """
    now = list_source(source)
    changed = before.difference(now) if before is not None and now is not None else None
    if changed:
        raise CommandError(
            f"the source changed while {done} ({changed}): what was made of it is not used, run "
            "the command again when nothing changes it"
        )
