"""Inpainting by a transformer that tells hidden codes: the backend `masked-token`.

Inside of the mask the picture's codes are hidden, told anew under the prompt in some steps, and
decoded; outside of it the picture itself stands.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from editing.diffusion.model import require_pipeline
from editing.inpainting.inpainter import InpaintSettings
from editing.inpainting.over_model import OverModel
from editing.inpainting.pasting import check_batch, paste
from editing.inpainting.sampled import SampledOptions
from editing.inpainting.token_decoding import Chance, Predict, decode_codes, touched_cells
from editing.inpainting.token_loading import load_token_model
from editing.inpainting.token_model import Cells, CodeLogits, Codes, TokenModel
from editing.tensors import MaskBatch, PictureBatch
from transforms.models.files import locate, locate_base
from transforms.models.spec import ModelSpec, read_options


@dataclass(frozen=True, eq=False)
class MaskedTokenInpainter(OverModel[TokenModel]):
    """`Inpainter` of a `TokenModel`; `chance` is how much of what it paints is left to chance."""

    chance: Chance

    @torch.no_grad()
    def inpaint(
        self,
        pictures: PictureBatch,
        masks: MaskBatch,
        prompts: Sequence[str],
        generators: Sequence[torch.Generator],
        *,
        settings: InpaintSettings,
        on_step: Callable[[], None] = lambda: None,
    ) -> PictureBatch:
        """The pictures with what lies inside their masks painted anew; see `Inpainter`.

        With strength below 1 a random share of the codes stays. There may be more steps than codes.
        """
        check_batch(pictures, masks, prompts, generators, multiple=self.size_multiple)
        model = self.model
        predict = guided_prediction(model, prompts, guidance_scale=settings.guidance_scale)
        codes = decode_codes(
            predict,
            model.encode(pictures),
            touched_cells(masks, model.cell).to(model.device),
            generators,
            strength=settings.strength,
            num_inference_steps=settings.num_inference_steps,
            chance=self.chance,
            on_step=on_step,
        )
        return paste(pictures, masks, model.decode(codes))


def guided_prediction(
    model: TokenModel, prompts: Sequence[str], *, guidance_scale: float
) -> Predict:
    """Classifier-free guidance of logits: empty + scale (conditional - empty), in one pass.

    Raises:
        PromptLengthError: a prompt has more tokens than the text encoder takes.
    """
    guided = guidance_scale != 1
    texts = model.embed_texts([*[""] * len(prompts), *prompts] if guided else prompts)

    def predict(codes: Codes, hidden: Cells) -> CodeLogits:
        seen = torch.where(hidden, model.hidden_code, codes)
        if not guided:
            return model.predict(seen, texts)
        logits = model.predict(torch.cat([seen, seen]), texts)
        unconditional, conditional = logits.chunk(2)
        return unconditional + guidance_scale * (conditional - unconditional)

    return predict


@dataclass(frozen=True)
class MaskedTokenOptions(SampledOptions):
    """`SampledOptions`, where what the folder lacks lies, and what is left to chance.

    `dtype` is that of transformer and text encoder; the quantiser computes in float32 always, for
    aMUSEd's gives no numbers in float16. The settings are aMUSEd's own, and the temperatures are
    those of `Chance`; small networks want less of all.
    """

    base: str = ""
    guidance_scale: float = 10.0
    num_inference_steps: int = 12
    order_temperature: float = 2.0
    code_temperature: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self.chance()  # raises where it breaks a rule

    def chance(self) -> Chance:
        """How much is left to chance."""
        return Chance(order=self.order_temperature, codes=self.code_temperature)


def load_masked_token(spec: ModelSpec) -> MaskedTokenInpainter:
    """The inpainter by the masked-token model that a spec names.

    Its folder is laid out as that of diffusers' `AmusedPipeline`. Parts that it lacks come from the
    folder that the option `base` names, which may be that of a diffusion model.

    Raises:
        ModelError: it cannot be loaded; the message says why.
    """
    options = read_options(MaskedTokenOptions, spec)
    folder = require_pipeline(locate(spec))
    model = load_token_model(
        folder,
        base=locate_base(spec),
        device=options.device,
        dtype=options.dtype,
        variant=options.variant,
    )
    return MaskedTokenInpainter(model, options.defaults(), options.chance())
