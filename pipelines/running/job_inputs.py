"""What a job reads, as it was when the job began: kept beside its output, and compared.

A description says which source is read and how, and tells one job from another; the files there
may become others all the same. What they are is kept in `inputs.json` and in no hash of settings,
so that a job from before there was one goes on: of that nothing is known, and nothing is refused.
"""

import io
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from indexes.layout import INPUTS_FILE
from indexes.storage.store_path import StorePath
from pipelines.terminal.console import CommandError
from transforms.dataset.files import atomic_file, dump_json
from transforms.sources.listing import Listing, list_source
from transforms.sources.sorted_texts import SortedTexts, in_order

_OPENING = b'    "files": {'
_TEXT = rb'"(?:[^"\\]|\\.)*"'
_ENTRY = re.compile(rb"      (" + _TEXT + rb"): (" + _TEXT + rb")(,?)\n")


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
        files: Mapping[str, str] = {}
        if self.source is not None:
            files = self.source.files
            kept["source"] = {"fingerprint": self.source.fingerprint, "files": {}}
        if self.index is not None:
            kept["index"] = {"fingerprint": self.index}
        if kept:
            with atomic_file(folder / INPUTS_FILE) as file:
                file.writelines(_json_with(files, dump_json(kept)))


def _json_with(files: Mapping[str, str], outline: bytes) -> Iterator[bytes]:
    """What `dump_json` gives where `outline` has no files, with `files` in their place."""
    before, _, after = outline.partition(_OPENING + b"}")
    if not files:
        yield outline
        return
    yield before + _OPENING
    separator = b"\n"
    for name, about in in_order(files):
        entry = ": ".join(json.dumps(each, ensure_ascii=False) for each in (name, about))
        yield separator + f"      {entry}".encode()
        separator = b",\n"
    yield b"\n    }" + after


def read_inputs(folder: Path) -> JobInputs:
    """What is kept in `folder`, nothing known where nothing is.

    Raises:
        CommandError: the file is there and cannot be used.
    """
    path = folder / INPUTS_FILE
    try:
        kept, files = _read(path)
        index = kept.get("index", {}).get("fingerprint")
        if files is not None and not all(isinstance(each, str) for _, each in in_order(files)):
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


def _read(path: Path) -> tuple[dict[str, Any], Mapping[str, str] | None]:
    """What the file says, and the files that it names, where it names any.

    As `JobInputs.write` lays it out it is read line by line; else, as where a person has changed
    it, whole.
    """
    with io.BytesIO(path.read_bytes()) if isinstance(path, StorePath) else path.open("rb") as file:
        files = SortedTexts()
        outline = _read_lines(file, files)
        if outline is not None:
            with suppress(ValueError):
                return json.loads(outline), files
        file.seek(0)
        kept = json.load(file)
    return kept, kept.get("source", {}).get("files")


def _read_lines(lines: BinaryIO, files: SortedTexts) -> bytes | None:
    """Puts what a file names into `files` and gives what is around it.

    None where it is laid out otherwise.
    """
    outline: list[bytes] = []
    for line in lines:
        if line != _OPENING + b"\n":
            outline.append(line)
            continue
        comma = b","
        for entry in lines:
            found = _ENTRY.fullmatch(entry) if comma else None
            if found is None:
                break
            files.put(json.loads(found[1]), json.loads(found[2]))
            comma = found[3]
        if comma or entry.strip(b" ,\n") != b"}":
            return None
        outline.append(_OPENING + entry)
    return b"".join(outline) if files else None


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
