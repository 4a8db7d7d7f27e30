"""How SIMAT looks for a result, and how its heads are trained. Imports no network library."""

from dataclasses import dataclass
from typing import Literal

from editing.settings import setting

DeltaKind = Literal["caption", "words", "sentences", "none"]

DELTAS: tuple[DeltaKind, ...] = ("caption", "words", "sentences", "none")
DEFAULT_SCALES: dict[DeltaKind, float] = {"caption": 1.0, "words": 0.75, "sentences": 1.5}
"""The lambda of each delta where nobody gives another: those that were best in
`benchmarks/simat_table.py`; the thesis's is 1."""


@dataclass(frozen=True, kw_only=True)
class SimatSettings:
    """Which picture of `index` is the result.

    The query is the picture's embedding and lambda times a delta of texts (eq. 3.2 of the thesis):
    of the prompt and the picture's own `caption`, of the `words` that the prompt exchanges
    (the thesis's), or the mean over `sentences`, captions of the index with these words and the
    same with the others (section 3.4.4). `none` asks for the prompt alone, without the picture.

    With `structure_weight` w > 0 the result is, of the `structure_depth` nearest, the one with the
    highest (cosine + w structure) / (1 + w): no word says where a thing is.
    """

    index: str | None = setting(
        "folder of the index whose pictures are the results, made by index",
        default=None,
        metavar="DIR",
    )
    delta: Literal["caption", "words", "sentences", "none"] = setting(
        "what the change is read from: the picture's caption and the prompt, the words that they "
        "do not share, captions of the index that hold these, or none: the prompt alone",
        default="caption",
    )
    scale: float | None = setting(
        "how far the picture is moved by the change of words; none for 1, with words "
        "0.75, with sentences 1.5",
        default=None,
        flag="lambda",
        metavar="LAMBDA",
    )
    structure_weight: float = setting(
        "how much it counts that things lie where they lay, beside the cosine of 1", default=0.0
    )
    structure_depth: int = setting(
        "of so many nearest pictures the one is taken where structure counts", default=256
    )
    sentences: int = setting("captions of the index that hold the words, at most", default=64)
    near_copy: float | None = setting(
        "a picture with a greater cosine than this is taken for the source itself and passed "
        "over; none to pass over nothing",
        default=0.999,
    )

    def __post_init__(self) -> None:
        if self.delta not in DELTAS:
            raise ValueError(f"delta must be one of {', '.join(DELTAS)}, got {self.delta!r}")
        if self.scale is not None and not self.scale >= 0:
            raise ValueError(f"lambda must be at least 0, got {self.scale}")
        if not self.structure_weight >= 0:
            raise ValueError(f"structure_weight must be at least 0, got {self.structure_weight}")
        for name in ("structure_depth", "sentences"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.near_copy is not None and not 0 < self.near_copy <= 1:
            raise ValueError(f"near_copy must be in (0, 1], got {self.near_copy}")

    @property
    def weight(self) -> float:
        """The lambda that counts."""
        return self.scale if self.scale is not None else DEFAULT_SCALES.get(self.delta, 0.0)


@dataclass(frozen=True, kw_only=True)
class HeadTraining:
    """The loss that adaptation heads are trained by: InfoNCE (eq. 3.3 of the thesis)."""

    temperature: float = setting("of InfoNCE; the thesis's best is 0.1", default=0.1)
    same_captions: Literal["apart", "left-out"] = setting(
        "what pictures of the same caption are to one another: as different as any others, which "
        "is the thesis's, or left out of the comparison",
        default="apart",
    )

    def __post_init__(self) -> None:
        if not self.temperature > 0:
            raise ValueError(f"temperature must be above 0, got {self.temperature}")
        if self.same_captions not in ("apart", "left-out"):
            raise ValueError(
                f"same_captions must be one of apart, left-out, got {self.same_captions!r}"
            )
