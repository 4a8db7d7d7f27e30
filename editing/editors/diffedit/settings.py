"""The settings of `diffedit` and `encode-decode`. Imports no network library."""

from dataclasses import dataclass

from editing.diffusion.settings import steps_left_out
from editing.settings import Dial, require_numbers, setting

RATIO_DIAL = Dial(
    setting="encoding_ratio",
    values=(0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9),
    flag="encoding-ratios",
)

MOST_FIXED_POINT_STEPS = 100


@dataclass(frozen=True, kw_only=True)
class EncodingSettings:
    """How far a picture is encoded and how it is decoded.

    `encoding_ratio` r in (0, 1]: the share of `num_inference_steps` that are made, up and down
    again; the thesis's figures go from 0.3 to 0.9, its default is 0.8. Encoding is unconditional.
    `fixed_point_steps`, at most 100, make each step of it more exact, for as many passes more (see
    `editing.diffusion.inversion.invert`). Without `encode` the source is noised by one noise
    instead, which is the thesis's "DiffEdit without encoding". `guidance_scale` is that of
    decoding, 1 for none. With `paste` the source's own pixels are put back outside a mask.
    """

    encoding_ratio: float = setting("how far the source is encoded, in (0, 1]", default=0.8)
    guidance_scale: float = setting("factor of classifier-free guidance, 1 for none", default=7.5)
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
        if not self.guidance_scale >= 0:
            raise ValueError(f"guidance_scale must be at least 0, got {self.guidance_scale}")
        if not 0 <= self.fixed_point_steps <= MOST_FIXED_POINT_STEPS:
            raise ValueError(
                f"fixed_point_steps must be in [0, {MOST_FIXED_POINT_STEPS}], "
                f"got {self.fixed_point_steps}"
            )
