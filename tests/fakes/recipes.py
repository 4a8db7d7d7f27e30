"""A very small text encoder for the recipes of the still life's networks."""

from typing import Any

import torch

from stilllife.recipes.tokenizers import clip_tokenizer


def build_text_encoder(*, layers: int) -> Any:
    """An untrained CLIPTextModel of the world's words, 16 numbers wide."""
    from transformers import CLIPTextConfig, CLIPTextModel

    tokenizer = clip_tokenizer()
    torch.manual_seed(1)
    config = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=layers,
        num_attention_heads=2,
        max_position_embeddings=tokenizer.model_max_length,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return CLIPTextModel(config).eval()
