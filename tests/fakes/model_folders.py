"""Very small random networks saved as published folders are: what the loader tests load."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import torch

from transforms.models.spec import ModelSpec

WORDS = (
    "a",
    "small",
    "large",
    "red",
    "green",
    "blue",
    "apple",
    "pear",
    "bus",
    "train",
    "on",
    "the",
)
SIZE = 32


def save_bert_tokenizer(folder: Path) -> int:
    """A word tokenizer with BERT's special tokens; returns the size of its vocabulary."""
    from transformers import BertTokenizer

    words = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS)
    BertTokenizer(vocab={word: i for i, word in enumerate(words)}).save_pretrained(folder)
    return len(words)


def save_clip_tokenizer(folder: Path, length: int = 12) -> dict[str, int]:
    """A CLIP tokenizer that knows whole words; returns its vocabulary."""
    from transformers import CLIPTokenizer

    letters = sorted({letter for word in WORDS for letter in word})
    merges: list[tuple[str, str]] = []
    symbols = [*letters, *(f"{letter}</w>" for letter in letters)]
    for word in WORDS:
        pieces = [*word[:-1], f"{word[-1]}</w>"]
        while len(pieces) > 1:
            pair = (pieces[-2], pieces[-1])
            pieces[-2:] = ["".join(pair)]
            if pair not in merges:
                merges.append(pair)
                symbols.append("".join(pair))
    vocab = {symbol: i for i, symbol in enumerate([*symbols, "<|startoftext|>", "<|endoftext|>"])}
    CLIPTokenizer(vocab=vocab, merges=merges, model_max_length=length).save_pretrained(folder)
    return vocab


def save_picture_processor(folder: Path, size: int = SIZE) -> None:
    """The processor file of a network that takes squares of `size` px."""
    from transformers import CLIPImageProcessor

    CLIPImageProcessor(
        size={"shortest_edge": size}, crop_size={"height": size, "width": size}
    ).save_pretrained(folder)


def vision_config(**more: object) -> dict[str, object]:
    """A picture tower small enough to run in a millisecond."""
    return {
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "image_size": SIZE,
        "patch_size": 8,
        **more,
    }


def clip_text_config(vocab: dict[str, int]) -> dict[str, object]:
    """A text tower for the vocabulary of `save_clip_tokenizer`."""
    return {
        "vocab_size": len(vocab),
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "max_position_embeddings": 12,
        "bos_token_id": vocab["<|startoftext|>"],
        "eos_token_id": vocab["<|endoftext|>"],
        "pad_token_id": vocab["<|endoftext|>"],
    }


def save_clip(folder: Path, *, dtype: torch.dtype = torch.float32) -> Path:
    """A CLIP of transformers."""
    from transformers import CLIPConfig, CLIPModel

    vocab = save_clip_tokenizer(folder)
    torch.manual_seed(0)
    config = CLIPConfig(
        text_config=clip_text_config(vocab), vision_config=vision_config(), projection_dim=8
    )
    CLIPModel(config).to(dtype).save_pretrained(folder)
    save_picture_processor(folder)
    return folder


def save_clipseg(folder: Path) -> Path:
    """A CLIPSeg of transformers."""
    from transformers import CLIPSegConfig, CLIPSegForImageSegmentation

    vocab = save_clip_tokenizer(folder)
    torch.manual_seed(1)
    config = CLIPSegConfig(
        text_config=clip_text_config(vocab),
        vision_config=vision_config(),
        projection_dim=8,
        reduce_dim=8,
        extract_layers=[0, 1],
        decoder_num_attention_heads=2,
        decoder_intermediate_size=16,
    )
    CLIPSegForImageSegmentation(config).save_pretrained(folder)
    save_picture_processor(folder)
    return folder


def save_blip(folder: Path) -> Path:
    """A BLIP of transformers."""
    from transformers import BlipConfig, BlipForConditionalGeneration

    size = save_bert_tokenizer(folder)
    torch.manual_seed(2)
    text = {
        "vocab_size": size,
        "hidden_size": 16,
        "encoder_hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "max_position_embeddings": 40,
        "bos_token_id": 2,
        "eos_token_id": 3,
        "sep_token_id": 3,
        "pad_token_id": 0,
    }
    # BLIP's own default range is so small that a random tower would be blind.
    vision = vision_config(initializer_range=0.02)
    config = BlipConfig(text_config=text, vision_config=vision, projection_dim=8)
    network = BlipForConditionalGeneration(config)
    with torch.no_grad():
        # Wide weights make the captions differ; words are likelier than BERT's special tokens.
        for name, weights in network.named_parameters():
            if weights.dim() > 1:
                weights.mul_(30 if "crossattention" in name else 12)
        network.text_decoder.cls.predictions.bias[:5] = -1000
        network.text_decoder.cls.predictions.bias[3] = -2
    network.save_pretrained(folder)
    save_picture_processor(folder)
    return folder


OPEN_CLIP_CONFIG = {
    "embed_dim": 8,
    "quick_gelu": True,
    "vision_cfg": {"image_size": SIZE, "layers": 2, "width": 64, "patch_size": 8},
    "text_cfg": {
        "context_length": 12,
        "vocab_size": 49408,
        "width": 16,
        "heads": 2,
        "layers": 2,
    },
}


def save_open_clip(folder: Path) -> Path:
    """A CLIP of open_clip, as its hub folders are laid out."""
    import open_clip
    from safetensors.torch import save_file

    torch.manual_seed(3)
    network = open_clip.CLIP(**OPEN_CLIP_CONFIG)
    save_file(network.state_dict(), folder / "open_clip_model.safetensors")
    config = {"model_cfg": OPEN_CLIP_CONFIG, "preprocess_cfg": {"resize_mode": "squash"}}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    return folder


def save_dino(folder: Path) -> Path:
    """A `ViTModel` of transformers without a pooling layer, as DINO is published."""
    from transformers import ViTConfig, ViTImageProcessor, ViTModel

    torch.manual_seed(5)
    ViTModel(ViTConfig(**vision_config()), add_pooling_layer=False).save_pretrained(folder)
    ViTImageProcessor(size={"height": SIZE, "width": SIZE}).save_pretrained(folder)
    return folder


SAVERS: dict[str, Callable[[Path], Path]] = {
    "blip": save_blip,
    "clip": save_clip,
    "clipseg": save_clipseg,
    "dino": save_dino,
    "open_clip": save_open_clip,
}
"""By loader, what saves a network of it."""


def network_spec(loader: str, folder: Path, **options) -> ModelSpec:
    """The network in a folder, with options."""
    return ModelSpec(loader=loader, location=str(folder), options=tuple(options.items()))


def copy_folder(folder: Path, tmp_path: Path) -> Path:
    """A copy that may be spoilt."""
    return Path(shutil.copytree(folder, tmp_path / "copy"))
