"""The settings of iEdit's loss. Imports no network library."""

from dataclasses import dataclass
from typing import Any, Literal, get_args

from editing.settings import require_numbers, setting

MaskCombine = Literal["paper", "union"]
TERMS = ("loc", "global", "mask", "paired", "perc")
"""The terms of the loss by the names they are logged with."""


@dataclass(frozen=True, kw_only=True)
class IEditTraining:
    """A factor for each term of equation 12, and how pairs are used.

    A factor of 0 leaves its term out and saves its work. The paper's are 1 for `loc`, `global` and
    `mask`, lambda_perc = 0.1 for `perc`. With `mask` 0 and `paired` 1 (equation 4) the model is
    that of section 3.3, without masks.

    `mask_combine` is as `editing.editors.iedit.losses.masked_loss` has it.

    `snr_cap` weighs `mask` and `paired` by min(1, snr_cap / SNR), where SNR = alpha / (1 - alpha)
    is the signal-to-noise ratio at step t; None for no cap. It is not in the paper; Hang et al.
    (2023) do so for equation 1. An error of the clean latent is one of SNR times its square in the
    noise, so that the steps with little noise outweigh the others hundreds of times. In them z_t
    shows the source alone, and what can be learnt of targets is the mean of them all, a blur.

    A share `empty_share` of the pairs, in [0, 1), loses its text and is trained to leave the source
    as it is; the paper knows no such thing. Classifier-free guidance, which leads away from what
    the empty text gives, then leads away from the source.
    """

    weight_loc: float = setting("factor of the term loc, 0 leaves it out", default=1.0, metavar="W")
    weight_global: float = setting("of the term global", default=1.0, metavar="W")
    weight_mask: float = setting("of the term mask", default=1.0, metavar="W")
    weight_paired: float = setting(
        "of the term paired, which mask takes over", default=0.0, metavar="W"
    )
    weight_perc: float = setting("of the term perc", default=0.1, metavar="W")
    mask_combine: MaskCombine = setting(
        "inside and outside of a pair: paper: target mask, and all but the source mask; union: "
        "union of both, and all but that",
        default="paper",
    )
    snr_cap: float | None = setting(
        "weigh the terms mask and paired down where the signal-to-noise ratio is above this; none "
        "as in the paper",
        default=None,
        metavar="RATIO",
    )
    empty_share: float = setting(
        "share of pairs that are trained without text, to leave the source as it is",
        default=0.0,
        metavar="SHARE",
    )

    def __post_init__(self) -> None:
        for term in TERMS:
            if not self.weight(term) >= 0:
                raise ValueError(f"weight_{term} must be at least 0, got {self.weight(term)}")
        if not any(map(self.weight, TERMS)):
            raise ValueError("at least one term must have a weight above 0")
        ways = get_args(MaskCombine)
        if self.mask_combine not in ways:
            raise ValueError(
                f"mask_combine must be one of {', '.join(ways)}, got {self.mask_combine!r}"
            )
        if self.snr_cap is not None and not self.snr_cap > 0:
            raise ValueError(f"snr_cap must be above 0, got {self.snr_cap}")
        if not 0 <= self.empty_share < 1:
            raise ValueError(f"empty_share must be in [0, 1), got {self.empty_share}")
        require_numbers(self)

    def weight(self, term: str) -> float:
        """The factor of one of `TERMS`."""
        return float(getattr(self, f"weight_{term}"))


def upgrade_description(earlier: dict[str, Any]) -> dict[str, Any]:
    """The description of a run of version 0.1, as a run is described today.

    Raises:
        KeyError: it is no such description.
    """
    loop = {"decay_steps": None, **earlier["options"]}
    weights = dict(earlier["weights"])
    objective: dict[str, Any] = {
        f"weight_{term}": weights["global_" if term == "global" else term] for term in TERMS
    }
    objective |= {
        "mask_combine": earlier["mask_combine"],
        "snr_cap": weights["snr_cap"],
        "empty_share": loop.pop("empty_share"),
    }
    return {
        "editor": earlier["method"],
        "dataset": earlier["dataset"],
        "models": earlier["models"],
        "loop": loop,
        "objective": objective,
        "pairs": {name: earlier[name] for name in ("prompts", "quality", "align", "size")},
    }
