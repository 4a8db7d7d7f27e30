"""What figures do not say of an evaluation: edits that could not be made, and odd masks."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from editing.evaluation.cases import EditCase
from editing.evaluation.measurer import REJECTED, REMARKS, Row
from editing.remarks import in_words, remark_on_mask


@dataclass(frozen=True)
class Notes:
    """What there is to say of an editor's edits, all of its cells together.

    `made` edits were made, `rejected` were not, for the first of them in `first_rejected`;
    `remarks` counts by name what was remarked on those that were made.
    """

    made: int = 0
    rejected: int = 0
    first_rejected: str = ""
    remarks: Mapping[str, int] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.rejected or self.remarks)

    def as_dict(self) -> dict[str, Any]:
        """The notes as plain data."""
        return {
            "made": self.made,
            "rejected": self.rejected,
            "first_rejected": self.first_rejected,
            "remarks": dict(self.remarks),
        }

    def lines(self) -> list[str]:
        """The notes for a person, one by one."""
        found = [f"{number} edits with {in_words(name)}" for name, number in self.remarks.items()]
        if self.rejected:
            found.append(f"{self.rejected} edits could not be made, first {self.first_rejected}")
        return found


def take_notes(cells: Iterable[Sequence[Row]]) -> Notes:
    """The notes of an editor from the rows of its cells."""
    made = rejected = 0
    first = ""
    remarks: Counter[str] = Counter()
    for rows in cells:
        for row in rows:
            line = row.get(REJECTED)
            if line is None:
                made += 1
                remarks.update(name for name in (row.get(REMARKS) or "").split(" ") if name)
            else:
                rejected += 1
                first = first or f"{row['key']}: {line}"
    return Notes(made, rejected, first, dict(sorted(remarks.items())))


def count_odd_masks(cases: Sequence[EditCase]) -> dict[str, int]:
    """How many masks of the data set mark nothing or everything, by the name of the remark.

    Inside of an empty mask and outside of a whole one nothing is measured.
    """
    found = Counter(remark.name for case in cases for remark in remark_on_mask(case.edit_mask))
    return dict(sorted(found.items()))
