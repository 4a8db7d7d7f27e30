"""The editor `flexit`."""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch

from editing.diffusion.autoencoder import Autoencoder
from editing.diffusion.model import LatentDiffusion
from editing.diffusion.noise import Latents
from editing.diffusion.picture_edits import LatentBatch, edit_pictures
from editing.editors.flexit.descent import EditLoss, descend
from editing.editors.flexit.explaining import Trace, draw_explanation
from editing.editors.flexit.prior import DiffusionPrior
from editing.editors.flexit.settings import AUTOENCODERS, FlexItSettings, Way
from editing.editors.flexit.target import JointEncoder, make_target
from editing.editors.flexit.views import draw_views
from editing.pictures import mask_to_tensor, picture_to_tensor, resize
from editing.requests import EditOutput, OnStep, Request
from editing.tensors import MaskBatch, PictureBatch

TRACED = 4
"""Pictures on the way that are kept of an edit, to explain it: at even steps, the first of all."""


@dataclass(frozen=True, eq=False)
class FlexItEditor:
    """Moves the latent of a picture until encoders see the prompt in it (Couairon et al. 2022).

    `load_part` gives the parts of `editing.parts.PART_LOADERS` that settings ask for. A request
    that has a mask changes inside it alone. All edits of a batch move at once, each by its own
    gradient.
    """

    load_part: Callable[[str], Any]

    def edit(
        self,
        requests: Sequence[Request],
        settings: FlexItSettings,
        generators: Sequence[torch.Generator],
        on_step: OnStep,
    ) -> list[EditOutput]:
        """One result for each request.

        Raises:
            PromptLengthError: a prompt has more tokens than the diffusion model's text encoder
                takes, where that is asked.
            NotFiniteError: a network gave infinite numbers, or none, for those at its `places`.
        """
        run = _Run(self, settings, settings.chosen(), tuple(requests), on_step)
        outputs = edit_pictures(
            run.autoencoder, requests, generators, run.edit_latents, paste=settings.paste
        )
        return [
            dataclasses.replace(output, explain=partial(draw_explanation, request, run.seen[place]))
            for place, (output, request) in enumerate(zip(outputs, requests, strict=True))
        ]


@dataclass(frozen=True, eq=False)
class _Run:
    """One call: what is asked, and what was seen on the way, by the places of requests."""

    editor: FlexItEditor
    settings: FlexItSettings
    way: Way
    requests: tuple[Request, ...]
    on_step: OnStep
    seen: dict[int, Trace] = field(default_factory=dict)

    @property
    def autoencoder(self) -> Autoencoder:
        """Whose latents are moved."""
        found: Any = self.editor.load_part(AUTOENCODERS[self.settings.latent])
        autoencoder: Autoencoder = (
            dataclasses.replace(found, snap=True) if self.settings.snap else found
        )
        return autoencoder

    def edit_latents(self, batch: LatentBatch) -> Latents:
        """The latents of requests that are worked on at one size, moved."""
        # What is made for inference takes part in no gradient; copies do.
        with torch.inference_mode(mode=False), torch.no_grad():
            source_latents = batch.source_latent.clone()
            loss = self._loss(batch, source_latents)
            prior = self._prior(batch) if self.way.prior_share > 0 else None
            traces = [Trace(steps=self.way.steps) for _ in batch.places]
            self.seen.update(zip(batch.places, traces, strict=True))
            kept = {self.way.steps * part // TRACED for part in range(TRACED)}

            def watch(step: int, pictures: PictureBatch) -> None:
                if step in kept:
                    for trace, picture in zip(traces, pictures, strict=True):
                        trace.keep(step, picture)

            return descend(loss, prior, batch.generators, watch=watch, on_step=self.on_step)

    def _loss(self, batch: LatentBatch, source_latents: Latents) -> EditLoss:
        way, load = self.way, self.editor.load_part
        autoencoder = self.autoencoder
        sources, masks = self._pictures(batch, autoencoder)
        encoder = JointEncoder(tuple(map(load, self.settings.encoder_parts())))
        target = make_target(
            encoder,
            sources,
            draw_views(batch.generators, count=way.views, plain=way.plain, flips=way.flips),
            prompts=batch.prompts,
            source_prompts=batch.source_prompts,
            weight_image=way.weight_image,
            weight_source=way.weight_source,
        )
        perceptual = load("perceptual") if way.weight_perceptual > 0 else None
        captioner = None
        if way.weight_captioner > 0:
            captioner = load("caption_likelihood").of_texts(batch.prompts)
        return EditLoss(
            way=way,
            autoencoder=autoencoder,
            encoder=encoder,
            target=target,
            sources=sources,
            source_latents=source_latents,
            masks=masks,
            paste=self.settings.paste,
            perceptual=perceptual,
            source_features=None if perceptual is None else perceptual(sources),
            captioner=captioner,
        )

    def _pictures(
        self, batch: LatentBatch, autoencoder: Autoencoder
    ) -> tuple[PictureBatch, MaskBatch | None]:
        """The sources and their masks in pixels, at the size that is worked at."""
        height, width = (side * autoencoder.factor for side in batch.source_latent.shape[-2:])
        asked = [self.requests[place] for place in batch.places]
        device = autoencoder.device
        sources = [picture_to_tensor(resize(each.image, (width, height))) for each in asked]
        masks = [
            torch.ones(1, height, width)
            if each.edit_mask is None
            else mask_to_tensor(resize(each.edit_mask.convert("L"), (width, height)))
            for each in asked
        ]
        whole = all(each.edit_mask is None for each in asked)
        return torch.stack(sources).to(device), None if whole else torch.stack(masks).to(device)

    def _prior(self, batch: LatentBatch) -> DiffusionPrior:
        model: LatentDiffusion = self.editor.load_part("diffusion")
        empty = [""] * len(batch.prompts)
        return DiffusionPrior(
            model=model,
            text=model.embed_texts(batch.prompts),
            source_text=model.embed_texts([text or "" for text in batch.source_prompts]),
            empty_text=model.embed_texts(empty),
            scale=self.way.prior_scale,
            lowest=self.way.prior_lowest,
            highest=self.way.prior_highest,
        )
