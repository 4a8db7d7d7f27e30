"""The settings of `learned-regions`, in use and in training. Imports no network library."""

from dataclasses import dataclass
from typing import Literal

from editing.diffusion.settings import require_guidance, steps_left_out
from editing.settings import require_numbers, setting

Objective = Literal["exact", "straight-through"]

MOST_VIEWS = 5

Backend = Literal["inpaint", "sdedit", "masked-token"]

BACKENDS: dict[str, str] = {
    "inpaint": "inpainting",
    "sdedit": "masked_sdedit",
    "masked-token": "masked_token",
}
"""Which part of a preset each backend is: a key of `editing.parts.PART_LOADERS`."""


@dataclass(frozen=True, kw_only=True)
class LossWeights:
    """lambda_C, lambda_S and lambda_D of equation 3; all are 1 in the paper.

    Raises:
        ValueError: one is below 0, or all are 0.
    """

    clip: float = 1.0
    structure: float = 1.0
    direction: float = 1.0

    def __post_init__(self) -> None:
        for name in ("clip", "structure", "direction"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"weight_{name} must be at least 0, got {getattr(self, name)}")
        if self.clip == self.structure == self.direction == 0:
            raise ValueError("at least one of the losses must have a weight above 0")


@dataclass(frozen=True, kw_only=True)
class BoxSettings:
    """Which boxes are painted, how, and what their edits are judged by.

    Around each of `anchors` points (K) boxes of `sizes` sizes (M) are painted by `backend`.
    `strength`, `guidance_scale` and `num_inference_steps` are the backend's own where None; see
    `editing.inpainting.inpainter.InpaintSettings`. The weights are lambda_C, lambda_S and lambda_D
    of equation 3 (Lin et al. 2024); `weight_area` times a box's share of the picture is added to
    it.

    `direction_from` is T_ROI, what the direction of change starts from: what the source shows, in
    words (`source_prompt`), or the phrase that is exchanged alone, as the paper has it. Where
    nobody says what the source shows it is the phrase.
    """

    backend: Backend = setting(
        "what paints inside a box: a diffusion model that sees what is around it, the plain one, "
        "or a transformer over tokens",
        default="inpaint",
    )
    anchors: int = setting("K, points that boxes are laid around", default=3)
    sizes: int = setting("M, boxes around each point", default=7)
    weight_clip: float = setting(
        "lambda_C, of the distance to the prompt", default=1.0, metavar="W"
    )
    weight_structure: float = setting(
        "lambda_S, of the change of structure", default=1.0, metavar="W"
    )
    weight_direction: float = setting(
        "lambda_D, of the direction of change", default=1.0, metavar="W"
    )
    weight_area: float = setting(
        "of a box's share of the picture, so that of edits alike the smaller box is the better; "
        "the paper has none",
        default=0.1,
        metavar="W",
    )
    direction_from: Literal["caption", "phrase"] = setting(
        "what the direction of change starts from: the source's caption, where there is one, or, "
        "as in the paper, the phrase that is exchanged",
        default="caption",
    )
    views: int = setting(
        "in how many views, each moved a little, edits are judged, 1 to 5; the paper has one",
        default=5,
    )
    strength: float | None = setting(
        "how much of what lies in a box is given up, in (0, 1]; none for the backend's own",
        default=None,
    )
    guidance_scale: float | None = setting(
        "factor of classifier-free guidance, 1 for none; none for the backend's own", default=None
    )
    num_inference_steps: int | None = setting(
        "steps from nothing; none for the backend's own", default=None, flag="steps"
    )
    keep_below: float = setting(
        "what is painted and differs from the source by less than this, of 1, over a few pixels is "
        "left as it was; 0 for none",
        default=0.08,
    )
    boxes_at_once: int = setting("boxes that are painted in one batch", default=64)

    def weights(self) -> LossWeights:
        """lambda_C, lambda_S and lambda_D."""
        return LossWeights(
            clip=self.weight_clip,
            structure=self.weight_structure,
            direction=self.weight_direction,
        )

    def roi_text(self, phrase: str, caption: str | None) -> str:
        """T_ROI, of the phrase that is exchanged and what the source shows, if that is known."""
        return caption if caption and self.direction_from == "caption" else phrase

    def __post_init__(self) -> None:
        _require_one_of("backend", self.backend, tuple(BACKENDS))
        _require_one_of("direction_from", self.direction_from, ("caption", "phrase"))
        for name in ("anchors", "sizes", "boxes_at_once"):
            _require_at_least_one(name, getattr(self, name))
        if not self.weight_area >= 0:
            raise ValueError(f"weight_area must be at least 0, got {self.weight_area}")
        if not 0 <= self.keep_below < 1:
            raise ValueError(f"keep_below must be in [0, 1), got {self.keep_below}")
        if not 1 <= self.views <= MOST_VIEWS:
            raise ValueError(f"views must be in [1, {MOST_VIEWS}], got {self.views}")
        self.weights()  # raises where they break a rule
        strength = 1.0 if self.strength is None else self.strength
        steps = 1 if self.num_inference_steps is None else self.num_inference_steps
        steps_left_out(strength, steps)  # raises where they break a rule
        if self.guidance_scale is not None:
            require_guidance(self.guidance_scale)
        require_numbers(self)


@dataclass(frozen=True, kw_only=True)
class LearnedRegionSettings(BoxSettings):
    """How the box of an edit is found, beside `BoxSettings`.

    Of the edits of all boxes `rule` takes, with `argmin`, the best; with `fit`, the best of those
    that a network chooses, one an anchor, which is fitted to the picture by `objective` in
    `fit_steps` steps. `rank` says what is best: the smallest loss (equation 3 of Lin et al. 2024),
    or the largest score S (equation 7).
    """

    rule: Literal["argmin", "fit"] = setting(
        "argmin: the best of all boxes; fit: of each point the box that a network chooses which is "
        "fitted to the picture, as in the paper",
        default="argmin",
    )
    objective: Objective = setting(
        "what fit minimises: the expected loss, or one drawn box's with a gradient through its "
        "mask",
        default="exact",
    )
    rank: Literal["loss", "score"] = setting(
        "what makes an edit the best: the smallest loss, or the paper's largest score S",
        default="loss",
    )
    fit_steps: int = setting("steps of Adam in fit", default=100, metavar="N")
    fit_rate: float = setting("learning rate of fit", default=0.003, metavar="RATE")
    one_by_one: bool = setting(
        "edit several things that the prompt exchanges one after another, each in its own box",
        default=True,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        _require_one_of("rule", self.rule, ("argmin", "fit"))
        _require_one_of("objective", self.objective, ("exact", "straight-through"))
        _require_one_of("rank", self.rank, ("loss", "score"))
        _require_at_least_one("fit_steps", self.fit_steps)
        if not self.fit_rate > 0:
            raise ValueError(f"fit_rate must be above 0, got {self.fit_rate}")


@dataclass(frozen=True, kw_only=True)
class RegionTraining(BoxSettings):
    """How a region network that sees the text is trained on pairs, beside `BoxSettings`.

    The boxes of every pair are painted once, and what their edits are worth is kept in the run's
    folder. The network then minimises the expected loss sum_j pi_j L_j over all boxes of a pair. A
    box's area counts for more than a tie there: what is sure to hold a thing is a large box, and
    the network, which cannot be sure, would learn "large". With `standardise` the losses of a pair
    are brought to a mean of 0 and a standard deviation of 1, so that a pair counts the same whether
    its edits differ much or little.
    """

    # Beside the steps of training these go by their whole name.
    num_inference_steps: int | None = setting(
        "steps in which a box is painted, from nothing; none for the backend's own", default=None
    )
    standardise: bool = setting(
        "bring the losses of each pair to mean 0 and deviation 1, so that pairs count alike",
        default=True,
    )
    temperature: float = setting(
        "of the softmax over boxes; smaller is closer to one box", default=1.0
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.temperature > 0:
            raise ValueError(f"temperature must be above 0, got {self.temperature}")


def _require_one_of(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(allowed)}, got {value!r}")


def _require_at_least_one(name: str, value: int) -> None:
    if value < 1:
        raise ValueError(f"{name} must be at least 1, got {value}")
