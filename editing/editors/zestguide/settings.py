"""The settings of `zestguide`. Imports no network library."""

import dataclasses
from dataclasses import dataclass
from typing import Literal, get_args

from editing.diffusion.settings import require_guidance, steps_left_out
from editing.settings import require_numbers, setting

Ways = Literal["measured", "thesis"]
Fade = Literal["sqrt", "linear"]
Tokens = Literal["phrase", "phrase-and-end", "end"]

MOST_PADS = 70


@dataclass(frozen=True, kw_only=True)
class Way:
    """Every number of the method, chosen.

    | field | in the thesis |
    |---|---|
    | `num_inference_steps` | of DDIM, from pure noise |
    | `eta` | the learning rate of equation 6.5, in units of the latent |
    | `tau` | the share of the steps that are guided |
    | `fade` | lambda(t): sqrt(1 - alpha_t), or falling in a line from 1 to 0 |
    | `weight_normalised` | of the loss on S^ / max S^ in equation 6.4 |
    | `layers` | sides of the latent over those of the maps that are averaged; empty for all |
    | `tokens` | what stands for a phrase (`editing.attention.tokens`); None: as the preset says |
    | `paint` | w of paint-with-words; 0 for none |
    """

    num_inference_steps: int
    eta: float
    tau: float
    fade: Fade
    weight_normalised: float
    layers: tuple[int, ...]
    tokens: Tokens | None
    paint: float


WAYS: dict[str, Way] = {
    "measured": Way(
        num_inference_steps=20,
        eta=1.0,
        tau=0.25,
        fade="sqrt",
        weight_normalised=0.0,
        layers=(2,),
        tokens=None,
        paint=0.0,
    ),
    "thesis": Way(
        num_inference_steps=50,
        eta=1.0,
        tau=0.5,
        fade="sqrt",
        weight_normalised=1.0,
        layers=(2, 4),
        tokens="phrase",
        paint=0.0,
    ),
}
"""`measured`: what is best on the still life (docs/zestguide.md); `thesis`: what Couairon 2023 has.

The thesis averages the maps of resolutions 16 and 32, where the latent has 64.
"""


@dataclass(frozen=True, kw_only=True)
class ZestGuideSettings:
    """How a picture is made of a prompt and a layout; what is None is as `ways` has it.

    At `strength` 1 it is made from noise, and the given picture has no part in it but its size.
    Below, the picture is inverted to that strength, or noised without `encode`, and edited. With
    `paste`, what the layout leaves free, or lies outside of the request's mask where it has one,
    keeps the picture's own pixels.
    """

    ways: Ways = setting(
        "whose numbers: the best measured on the still life, or the thesis's", default="measured"
    )
    strength: float = setting(
        "how far the picture is brought up, in (0, 1]; at 1 nothing of it is left", default=1.0
    )
    encode: bool = setting("invert the picture; else noise it", default=True)
    guidance_scale: float = setting("factor of classifier-free guidance, 1 for none", default=3.0)
    num_inference_steps: int | None = setting(
        "steps from pure noise; none for what the ways say", default=None, flag="steps"
    )
    eta: float | None = setting(
        "how far a step is pushed towards the layout, at least 0; none for what the ways say",
        default=None,
    )
    tau: float | None = setting(
        "share of the steps that are pushed, in [0, 1]; none for what the ways say", default=None
    )
    fade: Fade | None = setting(
        "how the push falls: as sqrt(1 - alpha_t), or in a line; none for what the ways say",
        default=None,
    )
    weight_normalised: float | None = setting(
        "of the loss on attention over its maximum; none for what the ways say",
        default=None,
        metavar="W",
    )
    layers: str | None = setting(
        "which attention is compared: the latent's side over the map's, such as 2 or 2,4, or all; "
        "none for what the ways say",
        default=None,
    )
    tokens: Tokens | None = setting(
        "what stands for a phrase: its own tokens, for the last of several phrases the end of the "
        "prompt beside them, or the end in their place; none for what the ways or the preset say",
        default=None,
    )
    pads: int = setting("padding tokens that go with the end of the prompt", default=3)
    paint: float | None = setting(
        "weight w of paint-with-words, at least 0; none for what the ways say",
        default=None,
        metavar="W",
    )
    paste: bool = setting("put untouched pixels back outside the segments", default=False)
    checkpointing: bool = setting(
        "hold less memory for the gradient, and make each guided pass twice", default=False
    )

    def __post_init__(self) -> None:
        if self.ways not in WAYS:
            raise ValueError(f"ways must be one of {', '.join(WAYS)}, got {self.ways!r}")
        for name, allowed in (("fade", get_args(Fade)), ("tokens", get_args(Tokens))):
            if getattr(self, name) not in (None, *allowed):
                raise ValueError(
                    f"{name} must be one of {', '.join(allowed)}, got {getattr(self, name)!r}"
                )
        way = self.chosen()
        steps_left_out(self.strength, way.num_inference_steps)  # raises where they break a rule
        for name in ("eta", "weight_normalised", "paint"):
            if not getattr(way, name) >= 0:
                raise ValueError(f"{name} must be at least 0, got {getattr(way, name)}")
        require_guidance(self.guidance_scale)
        if not 0 <= way.tau <= 1:
            raise ValueError(f"tau must be in [0, 1], got {way.tau}")
        if not 0 <= self.pads <= MOST_PADS:
            raise ValueError(f"pads must be in [0, {MOST_PADS}], got {self.pads}")
        require_numbers(self)

    def chosen(self) -> Way:
        """Every number, from what is set and from `ways`."""
        way = WAYS[self.ways]
        names = {each.name for each in dataclasses.fields(Way)} - {"layers"}
        given = {name: getattr(self, name) for name in names}
        if self.layers is not None:
            given["layers"] = _read_layers(self.layers)
        said = {name: value for name, value in given.items() if value is not None}
        return dataclasses.replace(way, **said)


def _read_layers(text: str) -> tuple[int, ...]:
    """What `layers` names: whole numbers of at least 1, none for all.

    Raises:
        ValueError: it names none.
    """
    if text == "all":
        return ()
    words = [word.strip() for word in text.split(",")]
    if not all(word.isascii() and word.isdigit() and int(word) >= 1 for word in words):
        raise ValueError(f"layers must be all, or whole numbers such as 2 or 2,4, got {text!r}")
    return tuple(sorted({int(word) for word in words}))
