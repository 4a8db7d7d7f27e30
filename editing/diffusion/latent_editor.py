"""What editors by a latent diffusion model share: all but how latents are edited."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar, runtime_checkable

import torch

from editing.diffusion.model import LatentDiffusion
from editing.diffusion.noise import Latents
from editing.diffusion.picture_edits import LatentBatch, edit_pictures
from editing.diffusion.sampling import Denoiser, Guidance, denoiser_by_row
from editing.requests import EditOutput, OnStep, Request


@runtime_checkable
class Pasting(Protocol):
    """Settings that say whether the source's own pixels are put back outside a mask."""

    @property
    def paste(self) -> bool:
        """Whether they are."""
        ...


SettingsT = TypeVar("SettingsT", bound=Pasting)


@dataclass(frozen=True, eq=False)
class LatentEditor(ABC, Generic[SettingsT]):
    """An editor that brings its requests to latents, edits those, and brings them back."""

    model: LatentDiffusion

    def edit(
        self,
        requests: Sequence[Request],
        settings: SettingsT,
        generators: Sequence[torch.Generator],
        on_step: OnStep,
    ) -> list[EditOutput]:
        """One result for each request.

        Raises:
            PromptLengthError: a prompt has more tokens than the text encoder takes.
            SettingError: more steps than the model has noise levels.
        """

        def edit_latents(batch: LatentBatch) -> Latents:
            return self.edit_latents(batch, settings, on_step)

        return edit_pictures(self.model, requests, generators, edit_latents, paste=settings.paste)

    def denoise_under(self, prompts: Sequence[str], guidance: Sequence[Guidance]) -> Denoiser:
        """What denoises a latent under each prompt, each guided in its own way.

        Raises:
            PromptLengthError: a prompt has more tokens than the text encoder takes.
        """
        return denoiser_by_row(
            self.model,
            text=self.model.embed_texts(prompts),
            empty_text=self.model.embed_texts([""] * len(prompts)),
            guidance=guidance,
        )

    @abstractmethod
    def edit_latents(self, batch: LatentBatch, settings: SettingsT, on_step: OnStep) -> Latents:
        """The edited latents of requests that are worked on at one size."""
