"""The settings of `flexit`. Imports no network library."""

import dataclasses
from dataclasses import dataclass
from typing import Literal, get_args

from editing.settings import Dial, require_numbers, setting

Ways = Literal["measured", "thesis"]
Embedding = Literal["squared", "dot"]
Schedule = Literal["constant", "cosine"]
Latent = Literal["diffusion", "tokens"]

AUTOENCODERS: dict[str, str] = {"diffusion": "diffusion", "tokens": "token_autoencoder"}
"""The parts that bring pictures to latents, by the value of `latent`."""

ENCODERS: dict[str, str] = {
    "encoder": "clip_space",
    "second_encoder": "second_clip_space",
    "third_encoder": "third_clip_space",
    "segmenter": "segmenter_clip_space",
}
"""The parts that pictures and texts are embedded by, by a preset's name for the model."""

STEP_DIAL = Dial(setting="step_size", values=(0.02, 0.03, 0.05, 0.08, 0.12), flag="step-sizes")


@dataclass(frozen=True, kw_only=True)
class Way:
    """Every number of the method, chosen.

    | field | in the thesis |
    |---|---|
    | `embedding` | squared distance to the target P (equation 4.2), or minus the dot product |
    | `steps` | N, of gradient descent |
    | `step_size` | mu, how far a step goes, in shares of the norm of what may change of z_0 |
    | `schedule` | of mu: constant, or falling to 0 as half a cosine |
    | `momentum` | ours: how much of the last step's direction stays in the next, in [0, 1) |
    | `views` | d, augmented views that encoders look at; 0 for the picture itself |
    | `plain` | whether the picture itself is among what they look at |
    | `flips` | whether views may be mirrored |
    | `weight_image`, `weight_source` | lambda_I and lambda_S of P (equation 4.1) |
    | `weight_perceptual`, `weight_latent` | lambda_p and lambda_z (equation 4.5) |
    | `weight_captioner` | ours: of the captioner's log-likelihood of the prompt, in nats |
    | `prior_share` | ours: of a step, in [0, 1], that goes where the diffusion model says |
    | `prior_scale` | ours: the factor of classifier-free guidance in it |
    | `prior_lowest`, `prior_highest` | ours: the noise levels that it is asked at, as shares |
    """

    embedding: Embedding
    steps: int
    step_size: float
    schedule: Schedule
    momentum: float
    views: int
    plain: bool
    flips: bool
    weight_image: float
    weight_source: float
    weight_perceptual: float
    weight_latent: float
    weight_captioner: float
    prior_share: float
    prior_scale: float
    prior_lowest: float
    prior_highest: float


WAYS: dict[str, Way] = {
    "measured": Way(
        embedding="dot",
        steps=25,
        step_size=0.13,
        schedule="cosine",
        momentum=0.0,
        views=2,
        plain=True,
        flips=False,
        weight_image=0.2,
        weight_source=0.4,
        weight_perceptual=0.0,
        weight_latent=0.05,
        weight_captioner=0.1,
        prior_share=0.7,
        prior_scale=4.0,
        prior_lowest=0.05,
        prior_highest=0.8,
    ),
    "thesis": Way(
        embedding="squared",
        steps=160,
        step_size=0.05,
        schedule="constant",
        momentum=0.0,
        views=8,
        plain=False,
        flips=True,
        weight_image=0.2,
        weight_source=0.4,
        weight_perceptual=0.15,
        weight_latent=0.05,
        weight_captioner=0.0,
        prior_share=0.0,
        prior_scale=1.0,
        prior_lowest=0.05,
        prior_highest=0.8,
    ),
}
"""`measured`: what is best on the still life (docs/flexit.md); `thesis`: what Couairon's has.

The 0.5 for the step in the thesis's table A.2 is a misprint of 0.05.
"""

_SAYS = "; none for what the ways say"


@dataclass(frozen=True, kw_only=True)
class FlexItSettings:
    """How a latent is optimised; what is None is as `ways` has it. See `Way` for each number.

    `latent` is whose autoencoder it is moved in: the diffusion model's, or the quantiser's of the
    masked-token model, whose places are snapped to codes where `snap` is on. `encoders` are a
    preset's models that P is made in, their embeddings concatenated. With `paste` the source's own
    pixels stand outside of a mask while the picture is optimised, and in the end.
    """

    ways: Ways = setting(
        "whose numbers: the best measured on the still life, or the thesis's", default="measured"
    )
    encoders: str = setting(
        f"models of the preset that judge pictures by texts, of {', '.join(ENCODERS)}; several "
        "with commas between",
        default="encoder",
    )
    latent: Latent = setting(
        "whose latent is moved: the diffusion model's, or that of the masked-token model's codes",
        default="diffusion",
    )
    snap: bool = setting(
        "decode the nearest codes, where the latent is one of codes", default=False
    )
    embedding: Embedding | None = setting(
        f"distance to the target: squared, or minus the dot product{_SAYS}", default=None
    )
    steps: int | None = setting(f"steps of gradient descent{_SAYS}", default=None)
    step_size: float | None = setting(
        f"length of a step in shares of what may change, above 0{_SAYS}", default=None
    )
    schedule: Schedule | None = setting(
        f"whether steps stay as long, or fall as half a cosine{_SAYS}", default=None
    )
    momentum: float | None = setting(
        f"how much of the last step's direction stays in the next, in [0, 1){_SAYS}", default=None
    )
    views: int | None = setting(
        f"augmented views of the picture that encoders look at, 0 for none{_SAYS}", default=None
    )
    plain: bool | None = setting(
        f"whether encoders look at the picture itself as well{_SAYS}", default=None
    )
    flips: bool | None = setting(
        f"whether views may be mirrored: left and right are then the same{_SAYS}", default=None
    )
    weight_image: float | None = setting(
        f"of the source's embedding in the target{_SAYS}", default=None, metavar="W"
    )
    weight_source: float | None = setting(
        f"of the source text that is taken from the target{_SAYS}", default=None, metavar="W"
    )
    weight_perceptual: float | None = setting(
        f"of the perceptual distance from the source{_SAYS}", default=None, metavar="W"
    )
    weight_latent: float | None = setting(
        f"of the distance from the source's latent{_SAYS}", default=None, metavar="W"
    )
    weight_captioner: float | None = setting(
        f"of the captioner's log-likelihood of the prompt{_SAYS}", default=None, metavar="W"
    )
    prior_share: float | None = setting(
        f"share of a step, in [0, 1], that goes where the diffusion model says{_SAYS}",
        default=None,
        metavar="SHARE",
    )
    prior_scale: float | None = setting(
        f"guidance of the diffusion model's direction{_SAYS}", default=None
    )
    prior_lowest: float | None = setting(
        f"lowest noise level that the diffusion model is asked at, of 1{_SAYS}", default=None
    )
    prior_highest: float | None = setting(
        f"highest noise level that the diffusion model is asked at, of 1{_SAYS}", default=None
    )
    paste: bool = setting("put untouched pixels back outside the mask", default=True)

    def __post_init__(self) -> None:
        require_numbers(self)
        if self.ways not in WAYS:
            raise ValueError(f"ways must be one of {', '.join(WAYS)}, got {self.ways!r}")
        for name, allowed in (
            ("embedding", get_args(Embedding)),
            ("schedule", get_args(Schedule)),
            ("latent", get_args(Latent)),
        ):
            if getattr(self, name) not in (None, *allowed):
                raise ValueError(
                    f"{name} must be one of {', '.join(allowed)}, got {getattr(self, name)!r}"
                )
        self.encoder_parts()  # raises where they break a rule
        if self.snap and self.latent == "diffusion":
            raise ValueError("snap must be off where the latent is not one of codes")
        _check(self.chosen())
        if self.latent != "diffusion" and self.chosen().prior_share > 0:
            raise ValueError(
                "prior_share must be 0 where the latent is not the diffusion model's, "
                f"got {self.chosen().prior_share}"
            )

    def chosen(self) -> Way:
        """Every number that counts, from what is set and from `ways`.

        In another latent than its own the diffusion model has no share where none is set.
        """
        way = WAYS[self.ways]
        if self.latent != "diffusion":
            way = dataclasses.replace(way, prior_share=0.0)
        given = {each.name: getattr(self, each.name) for each in dataclasses.fields(way)}
        return dataclasses.replace(way, **{k: v for k, v in given.items() if v is not None})

    def encoder_parts(self) -> tuple[str, ...]:
        """The encoders' parts, keys of `editing.parts.PART_LOADERS`.

        Raises:
            ValueError: there is none, an unknown one, or one twice.
        """
        names = [name.strip() for name in self.encoders.split(",")]
        for name in names:
            if name not in ENCODERS:
                raise ValueError(f"encoders must be of {', '.join(ENCODERS)}, got {name!r}")
        if len(set(names)) < len(names):
            raise ValueError(f"encoders must be different ones, got {self.encoders}")
        return tuple(ENCODERS[name] for name in names)


def needed_parts(settings: FlexItSettings) -> tuple[str, ...]:
    """What is needed of a preset with these settings."""
    way = settings.chosen()
    asked = {
        "perceptual": way.weight_perceptual,
        "caption_likelihood": way.weight_captioner,
        "diffusion": way.prior_share,
    }
    parts = (
        AUTOENCODERS[settings.latent],
        *settings.encoder_parts(),
        *(part for part, weight in asked.items() if weight > 0),
    )
    return tuple(dict.fromkeys(parts))


def _check(way: Way) -> None:
    if way.steps < 1:
        raise ValueError(f"steps must be at least 1, got {way.steps}")
    if not way.step_size > 0:
        raise ValueError(f"step_size must be above 0, got {way.step_size}")
    if way.views < 0:
        raise ValueError(f"views must be at least 0, got {way.views}")
    for name in dataclasses.asdict(way):
        if (name.startswith("weight_") or name == "prior_scale") and not getattr(way, name) >= 0:
            raise ValueError(f"{name} must be at least 0, got {getattr(way, name)}")
    if not 0 <= way.prior_share <= 1:
        raise ValueError(f"prior_share must be in [0, 1], got {way.prior_share}")
    if not 0 <= way.momentum < 1:
        raise ValueError(f"momentum must be in [0, 1), got {way.momentum}")
    if not 0 <= way.prior_lowest < way.prior_highest <= 1:
        raise ValueError(
            "prior_lowest and prior_highest must be in [0, 1], the lower one first, got "
            f"{way.prior_lowest} and {way.prior_highest}"
        )
