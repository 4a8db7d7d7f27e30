"""How pairs are read for training, as a person chooses it. Imports no network library."""

from dataclasses import dataclass
from typing import Literal

from editing.settings import setting
from transforms.dataset.schema import SCORE_MEANINGS

PROMPT_COLUMNS = {"edit": "edit_prompt", "target": "target_caption"}
"""What a pair is trained under: the edit prompt, or (as a baseline) the pseudo-target's caption."""


@dataclass(frozen=True, kw_only=True)
class PairSettings:
    """How pairs are read.

    `size` is the side of the training pictures in pixels, a multiple of what the model asks for and
    at most four times its own; None for its own. `prompts` is a
    key of `PROMPT_COLUMNS`. `quality` names the score that weighs pairs (negative scores count as
    0), None for equal weights. With `align` pseudo-targets are moved as
    `editing.training.alignment` says.
    """

    size: int | None = setting(
        "side of the pictures in pixels, a multiple of what the model halves them by, at most four "
        "times its own; none for its own",
        default=None,
    )
    prompts: Literal["edit", "target"] = setting(
        "train under the edit prompt, or, as a baseline, the pseudo-target's own caption",
        default="edit",
    )
    quality: str | None = setting(
        f"weigh pairs by one of their scores: {', '.join(SCORE_MEANINGS)}; none for equal weights",
        default=None,
        metavar="SCORE",
    )
    align: bool = setting(
        "move each pseudo-target until the centre of its mask is where the source's is",
        default=False,
    )

    def __post_init__(self) -> None:
        if self.size is not None and self.size < 1:
            raise ValueError(f"size must be at least 1, got {self.size}")
        if self.prompts not in PROMPT_COLUMNS:
            raise ValueError(
                f"prompts must be one of {', '.join(PROMPT_COLUMNS)}, got {self.prompts!r}"
            )
        if self.quality is not None and self.quality not in SCORE_MEANINGS:
            raise ValueError(
                f"quality must be one of {', '.join(SCORE_MEANINGS)}, got {self.quality!r}"
            )
