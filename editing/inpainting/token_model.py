"""A masked-token model of pictures (Chang et al. 2022), as inpainting sees it.

A quantiser makes a grid of codes of a picture, and a transformer tells the codes that are hidden
from it by those that are not and by a text. The parts are those of aMUSEd (Patil et al. 2024).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from editing.diffusion.model import PromptLengthError
from editing.finite import require_finite_rows
from editing.tensors import PictureBatch

Codes = Int[Tensor, "b h w"]
"""A code for each cell of a picture."""

Cells = Bool[Tensor, "b h w"]
"""Some of the cells of pictures."""

CodeLogits = Float[Tensor, "b h w codes"]
"""How likely each code is in each cell, as unnormalised log probabilities."""

BEAUTY = 6
"""The aesthetic score that aMUSEd is told where nobody says another."""


@dataclass(frozen=True, eq=False)
class TokenTexts:
    """Texts as the transformer takes them: `states` (b, length, d) and `pooled` (b, d')."""

    states: Tensor
    pooled: Tensor


@dataclass(frozen=True, eq=False)
class TokenModel:
    """The parts of a diffusers `AmusedPipeline`, put to the uses of editing."""

    quantiser: Any
    transformer: Any
    text_encoder: Any
    tokenizer: Any

    @property
    def device(self) -> torch.device:
        """Where the transformer lies."""
        device: torch.device = next(self.transformer.parameters()).device
        return device

    @property
    def cell(self) -> int:
        """Pixels of a picture to one code, along each side."""
        cell: int = 2 ** (len(self.quantiser.config.block_out_channels) - 1)
        return cell

    @property
    def size_multiple(self) -> int:
        """Sides of pictures must be multiples of this: a cell, or two where cells are halved."""
        return self.cell * (2 if self.transformer.config.downsample else 1)

    @property
    def picture_size(self) -> int:
        """Side of the pictures that it was trained on, in pixels."""
        return int(self.transformer.config.sample_size) * self.cell

    @property
    def hidden_code(self) -> int:
        """What stands for a code that is hidden: the last word of the transformer's."""
        return int(self.transformer.config.vocab_size) - 1

    @property
    def most_tokens(self) -> int:
        """Tokens of the longest text, start and end included."""
        places: int = self.text_encoder.config.max_position_embeddings
        return min(places, int(self.tokenizer.model_max_length))

    def encode(self, pictures: PictureBatch) -> Codes:
        """The codes of pictures whose sides are multiples of `cell`.

        Raises:
            NotFiniteError: the quantiser gave no numbers for those at its `places`.
        """
        unit = (pictures.to(self.device, self.quantiser.dtype) + 1) / 2
        latents = self.quantiser.encode(unit).latents
        require_finite_rows(latents, where="in the picture's latent")
        codes: Tensor = self.quantiser.quantize(latents)[2][2]
        return codes.view(len(latents), *latents.shape[-2:])

    def decode(self, codes: Codes) -> PictureBatch:
        """The pictures of codes, float32, not clamped to [-1, 1]."""
        quantiser = self.quantiser
        shape = (*codes.shape, quantiser.quantize.vq_embed_dim)
        latents = quantiser.quantize.get_codebook_entry(codes.flatten(), shape)
        beside = latents if quantiser.config.norm_type == "spatial" else None
        unit: Tensor = quantiser.decoder(quantiser.post_quant_conv(latents), beside)
        return unit.float() * 2 - 1

    def check_prompt(self, prompt: str) -> None:
        """Make sure that nothing of `prompt` would be cut off.

        Raises:
            PromptLengthError: it has more tokens than the text encoder takes.
        """
        found = len(self.tokenizer(prompt, truncation=False, verbose=False).input_ids)
        if found > self.most_tokens:
            raise PromptLengthError(
                f"a prompt must have at most {self.most_tokens} tokens, got {found}: "
                f"{prompt[:60]!r}"
            )

    def embed_texts(self, prompts: Sequence[str]) -> TokenTexts:
        """Prompts as aMUSEd reads them, each distinct one once.

        States are those of the layer before the text encoder's last. The whole is its projection,
        or, of a text encoder that has none, what would be projected.

        Raises:
            PromptLengthError: one has more tokens than the text encoder takes.
        """
        distinct = list(dict.fromkeys(prompts))
        for prompt in distinct:
            self.check_prompt(prompt)
        words = self.tokenizer(
            distinct,
            padding="max_length",
            max_length=self.most_tokens,
            truncation=True,
            return_tensors="pt",
        )
        found = self.text_encoder(words.input_ids.to(self.device), output_hidden_states=True)
        pooled = found.text_embeds if "text_embeds" in found else found.pooler_output
        rows = [distinct.index(prompt) for prompt in prompts]
        return TokenTexts(found.hidden_states[-2][rows], pooled[rows])

    def predict(self, codes: Codes, texts: TokenTexts) -> CodeLogits:
        """What the transformer makes of codes some of which are `hidden_code`, float32.

        It is told of every picture that it was whole and of the size that it was trained on.
        """
        facts = torch.tensor([[self.picture_size, self.picture_size, 0, 0, BEAUTY]])
        dtype = self.transformer.dtype
        logits: Tensor = self.transformer(
            codes,
            encoder_hidden_states=texts.states.to(dtype),
            pooled_text_emb=texts.pooled.to(dtype),
            micro_conds=facts.to(self.device, dtype).expand(len(codes), -1),
        )
        return logits.float().permute(0, 2, 3, 1)
