"""The settings of the region finder `contrast`. Imports no network library."""

from dataclasses import dataclass, replace
from typing import Any, Literal

from editing.settings import require_numbers, setting

MOST_NOISES = 1_000
MOST_BLUR = 1_000

OTSU = "otsu"
"""The threshold that is found for each map by itself."""


@dataclass(frozen=True, kw_only=True)
class ContrastWays:
    """Every number of how a difference map is made and cut; see `ContrastSettings`."""

    both: bool
    noises: int
    level: float
    spread: float
    clamp: float
    blur: int
    threshold: str
    smooth: bool
    grow: float

    @property
    def levels(self) -> tuple[float, ...]:
        """The level of each noise: evenly from `level` - `spread` to `level` + `spread`."""
        if self.noises == 1:
            return (self.level,)
        apart = 2 * self.spread / (self.noises - 1)
        return tuple(self.level - self.spread + n * apart for n in range(self.noises))


WAYS = {
    "measured": ContrastWays(
        both=True,
        noises=5,
        level=0.6,
        spread=0.1,
        clamp=0.0,
        blur=0,
        threshold="0.375",
        smooth=True,
        grow=0.032,
    ),
    "thesis": ContrastWays(
        both=False,
        noises=10,
        level=0.5,
        spread=0.0,
        clamp=3.0,
        blur=0,
        threshold="0.5",
        smooth=False,
        grow=0.0,
    ),
}
"""Named choices: what was found best on the still life, and what Couairon's thesis has."""


@dataclass(frozen=True, kw_only=True)
class ContrastSettings:
    """The settings of the region finder `contrast`; what is None is as `contrast_ways` has it.

    | setting | meaning |
    |---|---|
    | `contrast_reference` | what the prompt is compared with: the source's text, or none |
    | `contrast_both` | whether it is looked where the reference is about something; see `combine` |
    | `contrast_noises` | noises that are added in turn, from 1 to 1000 |
    | `contrast_level` | how much of each, in (0, 1) of all noise levels, in the middle |
    | `contrast_spread` | how far the least and the most lie from that |
    | `contrast_clamp` | times a map's mean at which it is cut off, 0 for never |
    | `contrast_blur` | places of a latent over which a map is smoothed each way, up to 1000 |
    | `contrast_threshold` | of a map in [0, 1], or `otsu` |
    | `contrast_smooth` | whether a map is made large before it is cut, or after |
    | `mask_grow` | how far the mask reaches beyond that, in [0, 1] of the shorter side; that of a |
    |  | background does not |

    Without words for what the source shows the empty text is compared with.
    """

    contrast_ways: Literal["measured", "thesis"] = setting(
        "which values count where none is given: the best measured, or the thesis's",
        default="measured",
    )
    contrast_reference: Literal["source", "empty"] = setting(
        "what the prompt is compared with: the source's prompt, or the empty text",
        default="source",
    )
    contrast_noises: int | None = setting("noises that are added in turn", default=None)
    contrast_level: float | None = setting(
        "how much noise, in (0, 1) of all noise levels", default=None
    )
    contrast_spread: float | None = setting(
        "how far the noises' levels lie around that", default=None
    )
    contrast_both: bool | None = setting(
        "look where the source's prompt is about something", default=None
    )
    contrast_clamp: float | None = setting(
        "times a map's mean at which it is cut off, 0 for never", default=None
    )
    contrast_blur: int | None = setting("places a map is smoothed over", default=None)
    contrast_threshold: str | None = setting("of a map in [0, 1], or otsu", default=None)
    contrast_smooth: bool | None = setting(
        "make a map large before it is cut, not after", default=None
    )
    mask_grow: float | None = setting(
        "how far a mask that is found reaches beyond what it is of, of the shorter side",
        default=None,
        metavar="SHARE",
    )

    def __post_init__(self) -> None:
        require_numbers(self)
        ways = self.chosen()
        if not 1 <= ways.noises <= MOST_NOISES:
            raise ValueError(f"contrast_noises must be in [1, {MOST_NOISES}], got {ways.noises}")
        if not 0 < ways.level < 1:
            raise ValueError(f"contrast_level must be in (0, 1), got {ways.level}")
        if not 0 <= ways.spread < min(ways.level, 1 - ways.level):
            raise ValueError(
                f"contrast_spread must be at least 0 and keep levels in (0, 1), got {ways.spread}"
            )
        if ways.clamp < 0:
            raise ValueError(f"contrast_clamp must be at least 0, got {ways.clamp}")
        if not 0 <= ways.blur <= MOST_BLUR:
            raise ValueError(f"contrast_blur must be in [0, {MOST_BLUR}], got {ways.blur}")
        if not 0 <= ways.grow <= 1:
            raise ValueError(f"mask_grow must be in [0, 1], got {ways.grow}")
        read_threshold(ways.threshold)

    def chosen(self) -> ContrastWays:
        """The values that count: those given, and for the rest those of `contrast_ways`."""
        named = WAYS[self.contrast_ways]
        given: dict[str, Any] = {
            "noises": self.contrast_noises,
            "level": self.contrast_level,
            "spread": self.contrast_spread,
            "both": self.contrast_both,
            "clamp": self.contrast_clamp,
            "blur": self.contrast_blur,
            "threshold": self.contrast_threshold,
            "smooth": self.contrast_smooth,
            "grow": self.mask_grow,
        }
        return replace(named, **{k: value for k, value in given.items() if value is not None})


def read_threshold(word: str) -> float | None:
    """A threshold in (0, 1) as a number; None for `otsu`.

    Raises:
        ValueError: it is neither.
    """
    if word == OTSU:
        return None
    try:
        number = float(word)
    except ValueError:
        number = -1.0
    if not 0 < number < 1:
        raise ValueError(f"contrast_threshold must be in (0, 1) or {OTSU}, got {word!r}")
    return number
