"""The networks of the sd14 preset at published size, with random weights, saved as published.

Dimensions, special tokens and processor settings are those of the published configurations; the
vocabularies have the published sizes and made-up words.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

SEED = 0
IMAGENET_MEAN = [0.485, 0.456, 0.406]
IMAGENET_STD = [0.229, 0.224, 0.225]
CLIP_MEAN = [0.48145466, 0.4578275, 0.40821073]
CLIP_STD = [0.26862954, 0.26130258, 0.27577711]

VIT_L_14 = {
    "vision": {
        "hidden_size": 1024,
        "intermediate_size": 4096,
        "num_hidden_layers": 24,
        "num_attention_heads": 16,
        "image_size": 224,
        "patch_size": 14,
    },
    "text": {
        "vocab_size": 49408,
        "hidden_size": 768,
        "intermediate_size": 3072,
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
        "max_position_embeddings": 77,
        # As published: wrong since the library's repair of 2023, which keeps it working.
        "eos_token_id": 2,
    },
}


def build_blip(folder: Path) -> int:
    """BLIP base for captioning, 384 px; returns the number of parameters."""
    from transformers import BertTokenizer, BlipConfig, BlipForConditionalGeneration

    _seed()
    # The library's default has 8 heads; BERT base and the published file have 12.
    text = {"num_attention_heads": 12, "vocab_size": 30524}
    # Its default range for the picture tower is so small that a random tower would be blind.
    config = BlipConfig(text_config=text, vision_config={"initializer_range": 0.02})
    network = BlipForConditionalGeneration(config)
    network.save_pretrained(folder)
    special = {0: "[PAD]", 100: "[UNK]", 101: "[CLS]", 102: "[SEP]", 103: "[MASK]"}
    special |= {30522: "[DEC]", 30523: "[ENC]"}
    words = {special.get(number, f"word{number}"): number for number in range(30524)}
    BertTokenizer(vocab=words).save_pretrained(folder)
    size = {"height": 384, "width": 384}
    _save_processor(folder, size=size, resample=3, image_mean=CLIP_MEAN, image_std=CLIP_STD)
    return _count(network)


def build_clip(folder: Path) -> int:
    """CLIP ViT-L/14, 224 px, as transformers keeps it; returns the number of parameters."""
    from transformers import CLIPConfig, CLIPModel

    _seed()
    config = CLIPConfig(
        text_config=VIT_L_14["text"], vision_config=VIT_L_14["vision"], projection_dim=768
    )
    network = CLIPModel(config)
    network.save_pretrained(folder)
    _clip_tokenizer().save_pretrained(folder)
    _save_processor(
        folder,
        size=224,
        crop_size=224,
        do_center_crop=True,
        resample=3,
        image_mean=CLIP_MEAN,
        image_std=CLIP_STD,
    )
    return _count(network)


def build_open_clip(folder: Path) -> int:
    """CLIP ViT-L/14, 224 px, as open_clip keeps it; returns the number of parameters."""
    import open_clip
    from safetensors.torch import save_file

    _seed()
    config = open_clip.get_model_config("ViT-L-14-quickgelu")
    network = open_clip.CLIP(**config)
    save_file(network.state_dict(), folder / "open_clip_model.safetensors")
    preprocess = {"mean": CLIP_MEAN, "std": CLIP_STD, "interpolation": "bicubic"}
    preprocess["resize_mode"] = "shortest"
    (folder / "open_clip_config.json").write_text(
        json.dumps({"model_cfg": config, "preprocess_cfg": preprocess})
    )
    return _count(network)


def build_clipseg(folder: Path) -> int:
    """CLIPSeg rd64-refined, 352 px; returns the number of parameters."""
    from transformers import CLIPSegConfig, CLIPSegForImageSegmentation

    _seed()
    config = CLIPSegConfig(
        # The library's default has patches of 32; the published network's CLIP is a ViT-B/16.
        vision_config={"patch_size": 16},
        reduce_dim=64,
        use_complex_transposed_convolution=True,
    )
    network = CLIPSegForImageSegmentation(config)
    network.save_pretrained(folder)
    _clip_tokenizer().save_pretrained(folder)
    _save_processor(
        folder,
        size={"height": 352, "width": 352},
        resample=2,
        image_mean=IMAGENET_MEAN,
        image_std=IMAGENET_STD,
    )
    return _count(network)


def build_stable_diffusion(folder: Path) -> int:
    """Stable Diffusion v1.4 as a diffusers pipeline; returns the number of parameters.

    Its text encoder is that of CLIP ViT-L/14; the safety checker is left out.
    """
    from diffusers import StableDiffusionPipeline

    return _build_diffusion(folder, StableDiffusionPipeline, in_channels=4)


def build_inpainting(folder: Path) -> int:
    """Stable Diffusion inpainting, which has v1.5's parts and nine channels in; as the other."""
    from diffusers import StableDiffusionInpaintPipeline

    return _build_diffusion(folder, StableDiffusionInpaintPipeline, in_channels=9)


def _build_diffusion(folder: Path, kind: Any, *, in_channels: int) -> int:
    from diffusers import AutoencoderKL, PNDMScheduler, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    _seed()
    pipeline = kind(
        vae=AutoencoderKL(
            block_out_channels=(128, 256, 512, 512),
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            layers_per_block=2,
            sample_size=512,
        ),
        unet=UNet2DConditionModel(sample_size=64, in_channels=in_channels, cross_attention_dim=768),
        text_encoder=CLIPTextModel(CLIPTextConfig(**VIT_L_14["text"])),
        tokenizer=_clip_tokenizer(),
        scheduler=PNDMScheduler(
            beta_start=0.00085,
            beta_end=0.012,
            beta_schedule="scaled_linear",
            skip_prk_steps=True,
            steps_offset=1,
        ),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.save_pretrained(folder)
    return sum(_count(part) for part in (pipeline.vae, pipeline.unet, pipeline.text_encoder))


def build_dino(folder: Path) -> int:
    """DINO ViT-B/16, 224 px, without its head; returns the number of parameters."""
    from transformers import ViTConfig, ViTModel

    _seed()
    network = ViTModel(ViTConfig(), add_pooling_layer=False)
    network.save_pretrained(folder)
    _save_processor(folder, size=224, resample=3, image_mean=IMAGENET_MEAN, image_std=IMAGENET_STD)
    return _count(network)


def build_amused(folder: Path) -> int:
    """The masked-token model aMUSEd, 256 px, as a pipeline; returns the number of parameters.

    The transformer's are those published (603 M). Its text encoder is that of CLIP ViT-L/14.
    """
    from diffusers import AmusedScheduler, UVit2DModel, VQModel
    from transformers import CLIPTextConfig, CLIPTextModelWithProjection

    _seed()
    quantiser = VQModel(
        block_out_channels=(128, 256, 256, 512, 768),
        down_block_types=("DownEncoderBlock2D",) * 5,
        up_block_types=("UpDecoderBlock2D",) * 5,
        layers_per_block=2,
        latent_channels=64,
        num_vq_embeddings=8192,
        mid_block_add_attention=False,
        lookup_from_codebook=True,
        force_upcast=True,
    )
    # The library's defaults are the published transformer's, but for the side of its grid.
    transformer = UVit2DModel(sample_size=16)
    reader = CLIPTextModelWithProjection(CLIPTextConfig(**VIT_L_14["text"], projection_dim=768))
    quantiser.save_pretrained(folder / "vqvae")
    transformer.save_pretrained(folder / "transformer")
    reader.save_pretrained(folder / "text_encoder")
    _clip_tokenizer().save_pretrained(folder / "tokenizer")
    AmusedScheduler(mask_token_id=8255).save_pretrained(folder / "scheduler")
    (folder / "model_index.json").write_text(json.dumps({"_class_name": "AmusedPipeline"}))
    return sum(_count(part) for part in (quantiser, transformer, reader))


def build_vgg16(folder: Path) -> int:
    """VGG16 with torchvision's names, as timm publishes it; returns the number of parameters."""
    from safetensors.torch import save_file
    from torchvision.models import vgg16

    _seed()
    network = vgg16(weights=None)
    save_file(network.state_dict(), folder / "model.safetensors")
    return _count(network)


BUILDERS: Mapping[str, Callable[[Path], int]] = {
    "blip": build_blip,
    "clip": build_clip,
    "open_clip": build_open_clip,
    "clipseg": build_clipseg,
}


def _seed() -> None:
    import torch
    import transformers

    transformers.utils.logging.disable_progress_bar()
    torch.set_num_threads(1)
    torch.manual_seed(SEED)


def _count(network: Any) -> int:
    return sum(weights.numel() for weights in network.parameters())


def _save_processor(folder: Path, **fields: object) -> None:
    (folder / "preprocessor_config.json").write_text(json.dumps(fields))


def _clip_tokenizer() -> Any:
    """49 408 tokens as CLIP's: 256 bytes, 256 that end a word, merges, start and end."""
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import CLIPTokenizer

    letters = sorted(ByteLevel.alphabet())
    pairs = [(one, f"{other}</w>") for one in letters for other in letters]
    merges = pairs[: 49408 - 2 * len(letters) - 2]
    symbols = [*letters, *(f"{letter}</w>" for letter in letters)]
    symbols += ["".join(pair) for pair in merges]
    symbols += ["<|startoftext|>", "<|endoftext|>"]
    vocabulary = {symbol: number for number, symbol in enumerate(symbols)}
    return CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=77)
