"""Painting by the masked-token model, to measure it: whole pictures, and boxes."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from diffusers import AmusedScheduler, UVit2DModel, VQModel
from transformers import CLIPTextModel, CLIPTokenizer

from stilllife.recipes.box_edits import BoxEdits
from stilllife.recipes.quantiser import CELL, CODES, codes_of, pictures_of
from stilllife.recipes.token_painter import GRID, PICTURE_FACTS, TokenCaptions

STEPS = 12
TEMPERATURE = (1.0, 0.0)
AT_ONCE = 50


@dataclass(frozen=True, eq=False)
class TokenBrush:
    """The networks of the masked-token model, which paint by diffusers' own scheduler."""

    quantiser: VQModel
    painter: UVit2DModel
    text_encoder: CLIPTextModel
    tokenizer: CLIPTokenizer

    def paint(self, captions: Sequence[str], *, guidance_scale: float, seed: int) -> torch.Tensor:
        """Pictures (n, 3, 64, 64) in [-1, 1] of captions, painted from nothing."""
        hidden = torch.ones(len(captions), GRID, GRID, dtype=torch.bool)
        codes = torch.zeros(hidden.shape, dtype=torch.long)
        return self._decode(codes, hidden, captions, guidance_scale=guidance_scale, seed=seed)

    def edit(self, edits: BoxEdits, *, guidance_scale: float, seed: int) -> torch.Tensor:
        """The edited pictures (n, 3, 64, 64) in [-1, 1]; outside of the boxes they are the old."""
        hidden = F.max_pool2d(edits.boxes, CELL)[:, 0] > 0
        codes = torch.cat(
            [codes_of(self.quantiser, some) for some in edits.pictures.split(AT_ONCE)]
        )
        found = self._decode(codes, hidden, edits.prompts, guidance_scale=guidance_scale, seed=seed)
        return torch.where(edits.boxes > 0, found, edits.pictures)

    def _decode(
        self,
        codes: torch.Tensor,
        hidden: torch.Tensor,
        captions: Sequence[str],
        *,
        guidance_scale: float,
        seed: int,
    ) -> torch.Tensor:
        texts = TokenCaptions(captions, self.text_encoder, self.tokenizer)
        generator = torch.Generator().manual_seed(seed)
        parts = []
        for start in range(0, len(codes), AT_ONCE):
            some = slice(start, start + AT_ONCE)
            found = self._fill(
                torch.where(hidden[some], CODES, codes[some]),
                texts,
                texts.rows[some],
                guidance_scale=guidance_scale,
                generator=generator,
            )
            parts.append(pictures_of(self.quantiser, found))
        return torch.cat(parts)

    @torch.inference_mode()
    def _fill(
        self,
        codes: torch.Tensor,
        texts: TokenCaptions,
        rows: torch.Tensor,
        *,
        guidance_scale: float,
        generator: torch.Generator,
    ) -> torch.Tensor:
        """The codes (n, 16, 16) with those that are hidden told under the texts of `rows`."""
        scheduler = AmusedScheduler(mask_token_id=CODES)
        scheduler.set_timesteps(STEPS, TEMPERATURE)
        both = torch.cat([torch.zeros_like(rows), rows])
        share = (codes == CODES).flatten(1).float().mean(1, keepdim=True)
        for step in scheduler.timesteps:
            logits = self.painter(
                torch.cat([codes, codes]),
                texts.states[both].float(),
                texts.pooled[both].float(),
                torch.tensor(PICTURE_FACTS).float().expand(len(both), -1),
            )
            empty, full = logits.chunk(2)
            codes = scheduler.step(
                empty + guidance_scale * (full - empty),
                step,
                codes,
                starting_mask_ratio=share,
                generator=generator,
            ).prev_sample
        return codes
