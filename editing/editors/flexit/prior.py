"""What a diffusion model says of a latent under a prompt, beside its source under the source's.

Delta denoising (Hertz et al. 2023): the noise that is seen in the latent, with one noise added,
under the prompt, minus the noise that is seen in the source with that very noise added, under the
source's text. Where both agree there is nothing to do. No gradient passes through the network.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from editing.diffusion.model import LatentDiffusion, TextStates
from editing.diffusion.noise import Latents, add_noise, alpha_at, draw_noise


@dataclass(frozen=True, eq=False, kw_only=True)
class DiffusionPrior:
    """The direction in which a diffusion model would move latents.

    `text` is of the prompts, `source_text` of what the sources show, `empty_text` of no words;
    guidance by `scale` is for both. The noise level is drawn for each edit and each time, from
    `lowest` to `highest` of all.
    """

    model: LatentDiffusion
    text: TextStates
    source_text: TextStates
    empty_text: TextStates
    scale: float
    lowest: float
    highest: float

    @torch.no_grad()
    def direction(
        self, latents: Latents, source_latents: Latents, generators: Sequence[torch.Generator]
    ) -> Latents:
        """The difference of noises, which gradient descent shall follow downwards.

        A generator for each edit draws its noise level and its noise.
        """
        model = self.model
        t = self._draw_levels(generators).to(latents.device)
        noise = draw_noise(latents, generators)
        alpha = alpha_at(model.alphas_cumprod, t)
        both = torch.cat([add_noise(each, noise, alpha) for each in (latents, source_latents)])
        texts, levels = torch.cat([self.text, self.source_text]), torch.cat([t, t])
        if self.scale == 1:
            seen = model.predict_noise(both, levels, texts)
        else:
            empty = torch.cat([self.empty_text, self.empty_text])
            found = model.predict_noise(
                torch.cat([both, both]), torch.cat([levels, levels]), torch.cat([empty, texts])
            )
            unconditional, conditional = found.chunk(2)
            seen = unconditional + self.scale * (conditional - unconditional)
        of_latents, of_sources = seen.chunk(2)
        return of_latents - of_sources

    def _draw_levels(self, generators: Sequence[torch.Generator]) -> torch.Tensor:
        most = self.model.train_steps - 1
        drawn = [torch.rand(1, generator=each, device=each.device).cpu() for each in generators]
        share = self.lowest + (self.highest - self.lowest) * torch.cat(drawn)
        return (share * most).round().long()
