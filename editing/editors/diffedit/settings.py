"""The settings of `diffedit` and `encode-decode`. Imports no network library."""

from dataclasses import dataclass, replace
from typing import Literal

from editing.diffusion.settings import require_guidance, steps_left_out
from editing.settings import Dial, require_numbers, setting

RATIO_DIAL = Dial(
    setting="encoding_ratio",
    values=(0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9),
    flag="encoding-ratios",
)

MOST_FIXED_POINT_STEPS = 100


@dataclass(frozen=True, kw_only=True)
class EncodingWay:
    """How decoding is guided, chosen; see `EncodingSettings`."""

    guidance_scale: float
    guided_share: float


WAYS = {
    "measured": EncodingWay(guidance_scale=9.0, guided_share=0.5),
    "thesis": EncodingWay(guidance_scale=7.5, guided_share=1.0),
}
"""Named choices: what was found best on the still life, and what Couairon's thesis has.

What a thing becomes is decided in the first half; guidance after that only makes what should stay
as it was stray from it. Where most of a picture is to change there is little to stay, and the
pattern of a background is decided late: that is guided as the thesis has it (docs/diffedit.md).
"""

MOST = 0.5
"""A mask of more of a picture than this, or none, is `wide`."""


@dataclass(frozen=True, kw_only=True)
class EncodingSettings:
    """How far a picture is encoded and how it is decoded; what is None is as `ways` has it.

    `encoding_ratio` r in (0, 1]: the share of `num_inference_steps` that are made, up and down
    again; the thesis's figures go from 0.3 to 0.9, its default is 0.8. Encoding is unconditional.
    `fixed_point_steps`, at most 100, make each step of it more exact, for as many passes more (see
    `editing.diffusion.inversion.invert`). Without `encode` the source is noised by one noise
    instead, which is the thesis's "DiffEdit without encoding". `guidance_scale` is that of
    decoding, 1 for none; the first `guided_share` of its steps have it, after them the prompt alone
    is asked (as Kynkäänniemi et al. 2024 limit guidance to an interval). With `paste` the source's
    own pixels are put back outside a mask. See `chosen` for edits of most of a picture.
    """

    ways: Literal["measured", "thesis"] = setting(
        "whose numbers: the best measured on the still life, or the thesis's", default="measured"
    )
    encoding_ratio: float = setting("how far the source is encoded, in (0, 1]", default=0.8)
    guidance_scale: float | None = setting(
        "factor of classifier-free guidance, 1 for none; none for what the ways say", default=None
    )
    guided_share: float | None = setting(
        "share of the steps down that are guided, the first of them, in [0, 1]; none for what the "
        "ways say",
        default=None,
    )
    num_inference_steps: int = setting("steps from pure noise", default=50, flag="steps")
    fixed_point_steps: int = setting(
        "times that each step of encoding is made more exact", default=0
    )
    encode: bool = setting("invert the source; else noise it", default=True)
    paste: bool = setting("put untouched pixels back outside the mask", default=True)

    def __post_init__(self) -> None:
        require_numbers(self)
        if not 0 < self.encoding_ratio <= 1:
            raise ValueError(f"encoding_ratio must be in (0, 1], got {self.encoding_ratio}")
        steps_left_out(self.encoding_ratio, self.num_inference_steps)  # raises for the steps
        if self.ways not in WAYS:
            raise ValueError(f"ways must be one of {', '.join(WAYS)}, got {self.ways!r}")
        way = self.chosen()
        require_guidance(way.guidance_scale, way.guided_share)
        if not 0 <= self.fixed_point_steps <= MOST_FIXED_POINT_STEPS:
            raise ValueError(
                f"fixed_point_steps must be in [0, {MOST_FIXED_POINT_STEPS}], "
                f"got {self.fixed_point_steps}"
            )

    def chosen(self, *, wide: bool = False) -> EncodingWay:
        """How decoding is guided, from what is set and from `ways`.

        An edit that is `wide`, as its mask takes in most of the picture or there is none, has the
        thesis's values in place of the best measured ones.
        """
        given = {"guidance_scale": self.guidance_scale, "guided_share": self.guided_share}
        return replace(
            WAYS["thesis" if wide else self.ways],
            **{name: value for name, value in given.items() if value is not None},
        )
