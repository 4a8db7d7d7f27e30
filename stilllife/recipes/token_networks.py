"""How the two networks of the masked-token model are trained and written, and measured."""

import hashlib
import json
from functools import partial
from pathlib import Path
from typing import Any

import diffusers
import torch
from diffusers import UVit2DModel, VQModel
from transformers import CLIPTextModel

from stilllife.judge import load_judge
from stilllife.recipes.box_edits import draw_edits, edits_right
from stilllife.recipes.collection import Collection
from stilllife.recipes.denoiser import attributes_right
from stilllife.recipes.quantiser import (
    QuantiserInTraining,
    build_quantiser,
    encode_all,
    quantiser_loss,
    reconstruct,
    round_trip,
)
from stilllife.recipes.token_painter import (
    TokenCaptions,
    build_token_painter,
    near_codes,
    painter_loss,
    start_from,
)
from stilllife.recipes.token_painting import TokenBrush
from stilllife.recipes.tokenizers import clip_tokenizer
from stilllife.recipes.workshop import Workshop

MASKED_TOKEN = "masked_token"
QUANTISER = f"{MASKED_TOKEN}/vqvae"
PAINTER = f"{MASKED_TOKEN}/transformer"
TOKEN_PAINTER = "token_painter"
TEXT_ENCODER = "diffusion/text_encoder"

PICTURES = 30_000
"""Training pictures of which the painter learns, the first of the collection."""

GUIDANCE_SCALES = (2.0, 3.0)
PAINTED = 200
"""Held-out captions of each kind that are painted at each of them."""

EDITED = 300
"""Held-out pictures of one thing that are edited at each of them."""


def make_quantiser(shop: Workshop) -> None:
    """Trains what makes 256 codes of a picture, and a picture of codes."""
    shop.seed("quantiser")
    training = QuantiserInTraining(build_quantiser(), shop.schedule("quantiser").steps)
    shop.train("quantiser", training, partial(quantiser_loss, training, shop.training))
    training.quantiser.half().save_pretrained(shop.weights / QUANTISER)


def measure_quantiser(shop: Workshop) -> dict[str, object]:
    """How well pictures survive the round trip, also as the judge reads them; codes in use."""
    quantiser, judge = _load(VQModel, shop.weights / QUANTISER), load_judge()
    figures: dict[str, object] = {}
    for kind, scenes in shop.held_out.items():
        made = reconstruct(quantiser, scenes.first(PAINTED))
        right = attributes_right(judge, made, scenes.first(PAINTED).captions())
        figures[kind] = round_trip(quantiser, scenes) | {"judged": right["all"]}
    return figures


def make_token_painter(shop: Workshop) -> None:
    """Trains what tells hidden codes by a text, and writes what makes a folder of the two."""
    text_encoder = _load(CLIPTextModel, shop.weights / TEXT_ENCODER)
    scenes = shop.training.first(PICTURES)
    quantiser = _load(VQModel, shop.weights / QUANTISER)
    codes = _training_codes(shop, quantiser, scenes)
    codebook = quantiser.quantize.embedding.weight.detach()
    captions = TokenCaptions(scenes.captions(), text_encoder, clip_tokenizer())
    shop.seed(TOKEN_PAINTER)
    painter = build_token_painter(text_encoder.config.hidden_size)
    start_from(painter, codebook, torch.Generator().manual_seed(shop.schedule(TOKEN_PAINTER).seed))
    loss = partial(painter_loss, painter, codes, near_codes(codebook), (scenes, captions))
    shop.train(TOKEN_PAINTER, painter, loss)
    painter.half().save_pretrained(shop.weights / PAINTER)
    index = {
        "_class_name": "AmusedPipeline",
        "_diffusers_version": diffusers.__version__,
        "transformer": ["diffusers", "UVit2DModel"],
        "vqvae": ["diffusers", "VQModel"],
    }
    path = shop.weights / MASKED_TOKEN / "model_index.json"
    path.write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")


def _training_codes(shop: Workshop, quantiser: VQModel, scenes: Collection) -> torch.Tensor:
    """The codes (n, 16, 16) of training pictures."""
    weights = shop.weights / QUANTISER / "diffusion_pytorch_model.safetensors"
    mark = hashlib.sha256(weights.read_bytes()).hexdigest()[:12]
    return shop.kept(
        f"codes-{len(scenes)}-{mark}",
        lambda: encode_all(quantiser, scenes, bfloat16=shop.bfloat16),
    )


def measure_token_painter(shop: Workshop) -> dict[str, object]:
    """Painted captions, and edits of boxes around things, as the judge reads them."""
    judge = load_judge()
    brush = TokenBrush(
        quantiser=_load(VQModel, shop.weights / QUANTISER),
        painter=_load(UVit2DModel, shop.weights / PAINTER),
        text_encoder=_load(CLIPTextModel, shop.weights / TEXT_ENCODER),
        tokenizer=clip_tokenizer(),
    )
    edits = draw_edits(shop.held_out["one_object"].first(EDITED), seed=1)
    figures: dict[str, object] = {}
    for kind, scenes in shop.held_out.items():
        captions = scenes.first(PAINTED).captions()
        figures[kind] = {
            f"guidance_{scale:g}": attributes_right(
                judge, brush.paint(captions, guidance_scale=scale, seed=1), captions
            )
            for scale in GUIDANCE_SCALES
        }
    figures["box_edits"] = {
        f"guidance_{scale:g}": edits_right(
            judge, brush.edit(edits, guidance_scale=scale, seed=1), edits
        )
        for scale in GUIDANCE_SCALES
    }
    return figures


def _load(kind: Any, folder: Path) -> Any:
    """A network as it was written, in float32."""
    return kind.from_pretrained(folder, dtype=torch.float32).eval()
