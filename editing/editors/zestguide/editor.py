"""The editor `zestguide`."""

import dataclasses
import threading
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor

from editing.attention.capture import require_divisors
from editing.attention.tokens import choose_tokens
from editing.diffusion.encoding import known_by_inversion, known_by_noise
from editing.diffusion.model import LatentDiffusion
from editing.diffusion.noise import Latents, draw_noise
from editing.diffusion.picture_edits import LatentBatch, edit_pictures
from editing.diffusion.sampling import Known, noise_levels, noised_source, sample
from editing.editors.zestguide.explaining import draw_explanation
from editing.editors.zestguide.guidance import LayoutGuide, plan_fades
from editing.editors.zestguide.losses import segment_attention
from editing.editors.zestguide.settings import Way, ZestGuideSettings
from editing.errors import EditError
from editing.layouts import Layout
from editing.pictures import mask_to_tensor, resize
from editing.requests import EditOutput, Explain, OnStep, Request
from editing.settings import shorten


@dataclass(frozen=True, eq=False)
class ZestGuideEditor:
    """Makes pictures that follow a prompt and a layout (Couairon 2023, chapter 6).

    `tokens` is what stands for a phrase where no setting says so, as suits the text encoder.

    One call is made at a time: while it is, what watches for it is in the network.
    """

    model: LatentDiffusion
    tokens: str = "phrase"
    _alone: AbstractContextManager[bool] = field(
        default_factory=threading.Lock, init=False, repr=False
    )

    def edit(
        self,
        requests: Sequence[Request],
        settings: ZestGuideSettings,
        generators: Sequence[torch.Generator],
        on_step: OnStep,
    ) -> list[EditOutput]:
        """One result for each request, which must have a layout.

        Raises:
            EditError: a segment's phrase does not stand in the prompt, or marks too little.
            PromptLengthError: a prompt has more tokens than the text encoder takes.
            SettingError: more steps than the model has noise levels, or layers it does not have.
        """
        way = settings.chosen()
        require_divisors(self.model.unet, way.layers)
        asked = [_with_mask(request, paste=settings.paste) for request in requests]
        run = _Run(self, settings, way, tuple(asked), on_step)
        with self._alone:
            outputs = edit_pictures(
                self.model, asked, generators, run.edit_latents, paste=settings.paste
            )
        return [
            dataclasses.replace(output, explain=run.explain(place))
            for place, output in enumerate(outputs)
        ]


@dataclass(frozen=True, eq=False)
class _Run:
    """One call: what is asked, and what the network looked at, by the places of requests."""

    editor: ZestGuideEditor
    settings: ZestGuideSettings
    way: Way
    requests: tuple[Request, ...]
    on_step: OnStep
    seen: dict[int, list[Tensor]] = field(default_factory=dict)

    def edit_latents(self, batch: LatentBatch) -> Latents:
        """The latents of requests that are worked on at one size."""
        model, alphas = self.editor.model, self.editor.model.alphas_cumprod
        levels = noise_levels(
            model, strength=self.settings.strength, num_inference_steps=self.way.num_inference_steps
        )
        guide = self._guide(batch, plan_fades(levels, self.way, alphas))
        start, known = self._begin(batch, levels)
        made = sample(
            guide.denoise,
            start,
            levels,
            alphas,
            push=guide.push,
            known=known,
            edit_mask=batch.edit_mask,
            on_step=self.on_step,
        )
        if guide.seen is not None:
            for row, place in enumerate(batch.places):
                self.seen[place] = [
                    segment_attention(guide.seen[row], tokens).cpu() for tokens in guide.tokens[row]
                ]
        return made

    def _begin(self, batch: LatentBatch, levels: Sequence[int]) -> tuple[Latents, Known]:
        """What is denoised, and what is known of the given pictures at each level."""
        model = self.editor.model
        if self.settings.strength == 1:
            noise = draw_noise(batch.source_latent, batch.generators)
            return noise, noised_source(batch.source_latent, noise, model.alphas_cumprod)
        if self.settings.encode:
            known = known_by_inversion(model, batch, levels, on_step=self.on_step)
        else:
            known = known_by_noise(model, batch)
        return known(levels[0]), known

    def _guide(self, batch: LatentBatch, fades: Mapping[int, float]) -> LayoutGuide:
        model, latent = self.editor.model, batch.source_latent
        factor = model.factor
        size = (latent.shape[-1] * factor, latent.shape[-2] * factor)
        layouts = [_layout(self.requests[place]) for place in batch.places]
        return LayoutGuide(
            model=model,
            text=model.embed_texts(batch.prompts),
            empty_text=model.embed_texts([""] * len(batch.prompts)),
            guidance_scale=self.settings.guidance_scale,
            way=self.way,
            tokens=[
                choose_tokens(
                    model.tokenizer,
                    prompt,
                    layout.phrases,
                    choice=self.way.tokens or self.editor.tokens,
                    pads=self.settings.pads,
                )
                for prompt, layout in zip(batch.prompts, layouts, strict=True)
            ],
            targets=[_targets(layout, size).to(latent.device) for layout in layouts],
            fades=fades,
            checkpointing=self.settings.checkpointing,
        )

    def explain(self, place: int) -> Explain:
        """What draws how the edit of a request came about."""
        return partial(draw_explanation, _layout(self.requests[place]), self.seen.get(place))


def _layout(request: Request) -> Layout:
    assert request.layout is not None, "the spec says that a layout is needed"
    return request.layout


def _with_mask(request: Request, *, paste: bool) -> Request:
    """The request with its segments as the mask, where untouched pixels are put back."""
    if not paste or request.edit_mask is not None:
        return request
    return dataclasses.replace(request, edit_mask=_layout(request).union())


def _targets(layout: Layout, size: tuple[int, int]) -> Tensor:
    """The segments at the size (width, height) that is worked at: (k, height, width).

    Raises:
        EditError: one is lost there.
    """
    masks = torch.stack([mask_to_tensor(resize(each.mask, size))[0] for each in layout.segments])
    for segment, mask in zip(layout.segments, masks, strict=True):
        if not bool(mask.any()):
            raise EditError(
                f"the segment of {shorten(segment.phrase)} is too small: at "
                f"{size[0]} x {size[1]} pixels nothing is left of it"
            )
    return masks
