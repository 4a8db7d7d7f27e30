"""A stage for tests of batches: its "model" is a suffix, what it makes of pictures are captions."""

import dataclasses
from dataclasses import dataclass

from fakes.records import bare_source
from transforms.batches.outcomes import bisect_failures
from transforms.record import Batch, Reject, SourceImage, reject_source

loads: list[str] = []
"""What `Load` has loaded in this process."""


def source(number: int, **fields) -> SourceImage:
    return bare_source(key=f"k{number}", position=number, reference=f"r{number}", **fields)


def batch(number: int, *records: SourceImage) -> Batch[SourceImage]:
    return Batch(shard="s", number=number, records=records)


@dataclass(frozen=True)
class Load:
    suffix: str

    def __call__(self) -> str:
        loads.append(self.suffix)
        return self.suffix


def shout(one: Batch[SourceImage], suffix: str) -> Batch[SourceImage]:
    """Captions every picture; a picture called "bad" is rejected."""

    def caption(records):
        if any(record.alt_text == "bad" for record in records):
            raise ValueError("cannot look at it\nsecond line")
        return [dataclasses.replace(r, caption=f"{r.alt_text}{suffix}") for r in records]

    records, rejects = bisect_failures(one.records, caption, reject_shout)
    return dataclasses.replace(one, records=tuple(records), rejects=(*one.rejects, *rejects))


def reject_shout(record: SourceImage, reason: str, detail: str) -> Reject:
    return reject_source(record, stage="shout", reason=reason, detail=detail)


def batches() -> list[Batch[SourceImage]]:
    return [
        batch(0, source(0, alt_text="a"), source(1, alt_text="bad"), source(2, alt_text="b")),
        batch(1, source(3, alt_text="c")),
        batch(2),
    ]
