"""The file of the marks: one line of JSON each, added when the mark is given and never changed.

The first line says of which data set the marks are and how its pairs were drawn. A mark is taken
back by another line. A line is in the file, on the disk, before the next pair is shown; what a
machine that failed left of a last line is no mark, and is cut off when the next one is added.
"""

import fcntl
import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from indexes.errors import PairloomError
from indexes.storage.paths import is_stored
from pipelines.marks.strata import Design

FORMAT = 1
SUFFIX = ".marks.jsonl"
RIGHT, WRONG, UNSURE = "right", "wrong", "unsure"
VERDICTS = (RIGHT, WRONG, UNSURE)
MASK_PARTS = ("source_mask", "target_mask")
PARTS = ("source_words", "target_words", "something_else", *MASK_PARTS)
"""What may be wrong with a pair: the caption does not say what the source shows, the target does
not show what the edit asks for, something else changed as well, a mask marks the wrong thing. A
pair that is right may have a wrong mask."""

_JUDGE = re.compile(r"[\w.@+-][\w .@+-]{0,39}")


class MarksError(PairloomError):
    """A file of marks that cannot be read or written, in one line that names it and the rule."""


@dataclass(frozen=True)
class Mark:
    """What one judge says of one pair.

    `key` and `target_key` name the pair, `verdict` is one of `VERDICTS`, `parts` are of `PARTS`.

    Raises:
        ValueError: a value is none of those there are, or does not go with the verdict.
    """

    key: str
    target_key: str
    judge: str
    verdict: str
    parts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_judge(self.judge)
        if self.verdict not in VERDICTS:
            raise ValueError(f"verdict must be {', '.join(VERDICTS)}, got {self.verdict!r}")
        unknown = [part for part in self.parts if part not in PARTS]
        if unknown or len(set(self.parts)) < len(self.parts):
            raise ValueError(f"parts must be some of {', '.join(PARTS)}, got {list(self.parts)}")
        if self.verdict == RIGHT and set(self.parts) - set(MASK_PARTS):
            raise ValueError(f"of a right pair only a mask is wrong, got {list(self.parts)}")


def check_judge(name: str) -> None:
    """Make sure that `name` can be a judge's.

    Raises:
        ValueError: it cannot.
    """
    if not isinstance(name, str) or not _JUDGE.fullmatch(name):
        raise ValueError(
            f"a judge's name must be 1 to 40 letters, digits, blanks or . @ + - _, got {name!r}"
        )


@dataclass(frozen=True)
class Heading:
    """The first line: the data set, by the SHA-256 of its manifest, and how pairs are drawn."""

    manifest_sha256: str
    design: Design


@dataclass
class Marks:
    """What a file of marks holds: its heading, and the marks that stand, by judge and key.

    `given` are the keys of each judge's standing marks in the order in which they were given.
    """

    heading: Heading
    by_judge: dict[str, dict[str, Mark]] = field(default_factory=dict)

    @property
    def judges(self) -> list[str]:
        """Everybody who gave a mark that stands, in the order of their first line."""
        return [judge for judge, marks in self.by_judge.items() if marks]

    def of(self, judge: str) -> dict[str, Mark]:
        """The standing marks of a judge, by key, in the order in which they were given."""
        return self.by_judge.get(judge, {})

    def take(self, mark: Mark) -> None:
        """Let `mark` stand; one of the same judge for the same pair falls."""
        own = self.by_judge.setdefault(mark.judge, {})
        own.pop(mark.key, None)
        own[mark.key] = mark

    def drop(self, judge: str, key: str) -> None:
        """Let the mark of `judge` for the pair `key` fall, if there is one."""
        self.by_judge.get(judge, {}).pop(key, None)


def marks_path(folder: Path) -> Path:
    """Where the marks of the data set in `folder` lie unless said otherwise: beside it.

    Raises:
        MarksError: the folder is on a store, where nothing can be added to a file.
    """
    if is_stored(folder):
        raise MarksError(f"the marks of {folder} must lie on this machine: name them with --marks")
    whole = folder.resolve()
    return whole.with_name(whole.name + SUFFIX)


def read_marks(path: Path) -> Marks:
    """The marks in the file `path`.

    Raises:
        MarksError: it cannot be read, or a line of it is no mark.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise MarksError(f"cannot read {path}: {error.strerror or error}") from error
    first, *rest = data[: data.rfind(b"\n") + 1].split(b"\n")[:-1] or [b""]
    marks = Marks(_read_line(path, 1, first, _heading_from))
    for number, line in enumerate(rest, start=2):
        found = _read_line(path, number, line, _entry_from)
        if isinstance(found, Mark):
            marks.take(found)
        else:
            marks.drop(*found)
    return marks


def _read_line(path: Path, number: int, line: bytes, convert: Any) -> Any:
    try:
        content = json.loads(line)
        if not isinstance(content, dict):
            raise TypeError("it must be an object")
        return convert(content)
    except (ValueError, TypeError, KeyError) as error:
        said = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
        raise MarksError(f"{path}: line {number} is not of a file of marks: {said}") from error


def _heading_from(line: Mapping[str, Any]) -> Heading:
    if line.get("pairloom_marks") != FORMAT:
        raise ValueError(f"it must begin with pairloom_marks {FORMAT}")
    design = Design(str(line["score"]), int(line["strata"]), int(line["seed"]))
    return Heading(str(line["manifest_sha256"]), design)


def _entry_from(line: Mapping[str, Any]) -> Mark | tuple[str, str]:
    if "undo" in line:
        return str(line["judge"]), str(line["undo"])
    key, target, judge = (str(line[name]) for name in ("key", "target_key", "judge"))
    return Mark(key, target, judge, str(line["verdict"]), tuple(line["parts"]))


class MarksFile:
    """The marks of a data set, in memory and in their file, for one judge who gives them.

    Several may be open at once, in one process or in several; each adds whole lines, and sees what
    the others' judges said when it is opened.
    """

    def __init__(self, path: Path, heading: Heading) -> None:
        """Open the file at `path`, or prepare to begin it; nothing is written yet.

        Raises:
            MarksError: it cannot be read, is of another data set, or of pairs drawn otherwise.
        """
        self.path = path
        self.marks = read_marks(path) if path.exists() else Marks(heading)
        found = self.marks.heading
        if found.manifest_sha256 != heading.manifest_sha256:
            raise MarksError(f"{path} holds the marks of another data set: name a file by --marks")
        if found.design != heading.design:
            drawn = ", ".join(f"{name} {value}" for name, value in asdict(found.design).items())
            raise MarksError(f"{path} holds marks of pairs drawn otherwise, with {drawn}")

    def add(self, mark: Mark) -> None:
        """Keep `mark`; it is on the disk when this returns.

        Raises:
            MarksError: it cannot be written; then it does not stand.
        """
        self._append({**asdict(mark), "parts": list(mark.parts)})
        self.marks.take(mark)

    def undo(self, judge: str) -> Mark | None:
        """Take back the last mark of `judge` that stands, and return it; None where none does.

        Raises:
            MarksError: that cannot be written; then the mark stands.
        """
        own = self.marks.of(judge)
        if not own:
            return None
        last = own[next(reversed(own))]
        self._append({"judge": judge, "undo": last.key})
        self.marks.drop(judge, last.key)
        return last

    def _append(self, line: Mapping[str, Any]) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("ab+") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                _cut_torn_line(file)
                lines = [line] if file.tell() else [self._first_line(), line]
                text = "".join(json.dumps(each, sort_keys=True) + "\n" for each in lines)
                file.write(text.encode())
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise MarksError(f"cannot write {self.path}: {error.strerror or error}") from error

    def _first_line(self) -> dict[str, Any]:
        heading = self.marks.heading
        return {
            "pairloom_marks": FORMAT,
            "manifest_sha256": heading.manifest_sha256,
            **asdict(heading.design),
        }


def _cut_torn_line(file: BinaryIO) -> None:
    """Cut off what stands after the last line break; the file is at its end then."""
    end = file.seek(0, os.SEEK_END)
    kept = end
    while kept:
        file.seek(kept - 1)
        if file.read(1) == b"\n":
            break
        kept -= 1
    if kept < end:
        file.truncate(kept)
    file.seek(0, os.SEEK_END)
