"""A very small random masked-token model, laid out as aMUSEd's folder without its text encoder."""

import json
from pathlib import Path

import torch

from editing.inpainting.masked_token import MaskedTokenInpainter, load_masked_token
from transforms.models.spec import ModelSpec

SIZE = 16
"""Side of its pictures; a code is two pixels wide."""

CODES = 12


def save_masked_token(folder: Path, *, text_width: int = 16, downsample: bool = False) -> Path:
    """A few thousand weights, for a text encoder that is `text_width` wide; gives the folder."""
    from diffusers import UVit2DModel, VQModel

    torch.manual_seed(6)
    VQModel(
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        block_out_channels=(8, 8),
        latent_channels=4,
        num_vq_embeddings=CODES,
        vq_embed_dim=4,
        norm_num_groups=4,
        sample_size=SIZE,
        mid_block_add_attention=False,
        lookup_from_codebook=True,
    ).save_pretrained(folder / "vqvae")
    UVit2DModel(
        hidden_size=16,
        block_out_channels=16,
        in_channels=8,
        num_res_blocks=1,
        num_hidden_layers=1,
        intermediate_size=16,
        num_attention_heads=2,
        block_num_heads=2,
        cond_embed_dim=text_width,
        encoder_hidden_size=text_width,
        micro_cond_encode_dim=4,
        micro_cond_embed_dim=20,
        vocab_size=CODES + 1,
        codebook_size=CODES,
        sample_size=SIZE // 2,
        downsample=downsample,
        upsample=downsample,
    ).save_pretrained(folder / "transformer")
    (folder / "model_index.json").write_text(json.dumps({"_class_name": "AmusedPipeline"}))
    return folder


def load_tiny_inpainter(folder: Path, base: Path | None = None, **options) -> MaskedTokenInpainter:
    """The inpainter of a folder that `save_masked_token` gave, and of a diffusion model's."""
    if base is not None:
        options["base"] = str(base)
    spec = ModelSpec(loader="amused", location=str(folder), options=tuple(options.items()))
    return load_masked_token(spec)
