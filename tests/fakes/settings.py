"""A settings dataclass with a field of every kind that settings may have."""

from dataclasses import dataclass
from typing import Literal

from editing.settings import setting


@dataclass(frozen=True, kw_only=True)
class OvenSettings:
    """How to bake."""

    degrees: int = setting("heat in C, at least 0", default=180, metavar="C")
    share: float = setting("of the dough, in [0, 1]", default=0.5, flag="part")
    heat_from: Literal["top", "bottom"] = setting("where heat comes from", default="top")
    minutes: float | None = setting("how long; none until told to stop", default=None)
    fan: bool = setting("moves the air", default=False)
    dough: str = setting("what is baked", default="rye")

    def __post_init__(self) -> None:
        if self.degrees < 0:
            raise ValueError(f"degrees must be at least 0, got {self.degrees}")
