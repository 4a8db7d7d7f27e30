"""What a check of a folder comes to, whatever the folder holds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """A check's problems and what it looked at.

    `problems` are lines, bounded in number, `total` says how many there are. `notes` are lines that
    are no problems. `columns` and `rows` make the table that is shown; `counts` is the same for
    `--json`. `signed` is the file whose signature stands for all that was checked.
    """

    problems: Sequence[str]
    total: int
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    counts: Mapping[str, object]
    signed: Path
    notes: Sequence[str] = field(default=())
