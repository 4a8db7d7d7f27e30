"""The line for a job of which nothing came: why, and how often."""

from collections import Counter
from collections.abc import Mapping


def count_reasons(rejects: Mapping[str, int | Mapping[str, int]]) -> str:
    """Reasons and how often each was the reason, most frequent first.

    `rejects` are counts by reason, or by stage and then by reason.

    >>> count_reasons({"read": {"truncated": 2, "too_many_pixels": 38}, "caption": {"empty": 1}})
    '38 too_many_pixels, 2 truncated, 1 empty'
    """
    counts: Counter[str] = Counter()
    for name, number in rejects.items():
        counts.update({name: number} if isinstance(number, int) else number)
    ordered = sorted(counts.items(), key=lambda each: (-each[1], each[0]))
    return ", ".join(f"{number} {reason}" for reason, number in ordered if number)


def nothing_made(
    what: str, rejects: Mapping[str, int | Mapping[str, int]], *, where: object
) -> str:
    """The line that says that there is no `what`, and why; `where` the rejects lie.

    >>> nothing_made("picture of 3 links could be fetched", {"not_found": 3}, where="out")
    'no picture of 3 links could be fetched: 3 not_found (the rejects are in out)'
    """
    return f"no {what}: {count_reasons(rejects) or 'none was given'} (the rejects are in {where})"
