"""The world's networks: how each is trained and written, and how it is measured."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from diffusers import AutoencoderKL
from transformers import (
    BlipForConditionalGeneration,
    BlipImageProcessor,
    CLIPImageProcessor,
    CLIPModel,
    CLIPSegForImageSegmentation,
    CLIPTextModel,
    ViTImageProcessor,
)

from stilllife.judge import Judge, load_judge
from stilllife.recipes.autoencoder import (
    autoencoder_loss,
    build_autoencoder,
    encode_all,
    reconstruction,
    set_scale,
)
from stilllife.recipes.captioner import (
    CaptionTokens,
    build_captioner,
    caption_loss,
    exact_share,
    write_captions,
)
from stilllife.recipes.denoiser import (
    GUIDANCE_SCALES,
    CaptionStates,
    assemble,
    attributes_right,
    build_denoiser,
    build_scheduler,
    denoise_loss,
    load_pipeline,
    paint,
)
from stilllife.recipes.dino import make_dino, measure_dino
from stilllife.recipes.encoder import CaptionPool, build_encoder, encoder_loss, recall_at_1
from stilllife.recipes.inpainter import make_inpainter
from stilllife.recipes.inpainting_edits import measure_inpainter
from stilllife.recipes.judge import judge_accuracy, judge_loss
from stilllife.recipes.segmenter import absent_area, build_segmenter, mean_iou, segment_loss
from stilllife.recipes.token_networks import (
    make_quantiser,
    make_token_painter,
    measure_quantiser,
    measure_token_painter,
)
from stilllife.recipes.tokenizers import blip_tokenizer, clip_tokenizer
from stilllife.recipes.tower import Tower, scene_accuracy, tower_loss
from stilllife.recipes.workshop import Workshop
from stilllife.scene import PICTURE_SIZE

DIFFUSION = "diffusion"
VAE = "diffusion/vae"

SCALED_ON = 4_000
"""Pictures by which the size of latents is measured."""

PAINTED = 500
"""Held-out captions of each kind that are painted at each guidance scale."""

NORMALISATION = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}


def make_tower(shop: Workshop) -> None:
    """Trains the vision tower that the others start from."""
    shop.seed("tower")
    tower = Tower()
    shop.train("tower", tower, partial(tower_loss, tower, shop.training))


def measure_tower(shop: Workshop) -> dict[str, object]:
    """Attributes read right."""
    tower = shop.tower()
    return {kind: scene_accuracy(tower, scenes) for kind, scenes in shop.held_out.items()}


def make_encoder(shop: Workshop) -> None:
    """Trains CLIP."""
    tokenizer = clip_tokenizer()
    shop.seed("encoder")
    encoder = build_encoder(shop.tower(), tokenizer)
    pool = CaptionPool(shop.training.captions(), tokenizer)
    shop.train("encoder", encoder, partial(encoder_loss, encoder, shop.training, pool))
    processor = CLIPImageProcessor(
        size={"shortest_edge": PICTURE_SIZE},
        crop_size={"height": PICTURE_SIZE, "width": PICTURE_SIZE},
        **NORMALISATION,
    )
    shop.save("clip", encoder, tokenizer, processor)


def measure_encoder(shop: Workshop) -> dict[str, object]:
    """Recall of captions by pictures."""
    pool = CaptionPool([], clip_tokenizer())
    encoder = shop.load(CLIPModel, "clip")
    return {"recall_at_1": recall_at_1(encoder, pool, shop.held_out["one_object"])}


def make_captioner(shop: Workshop) -> None:
    """Trains BLIP."""
    tokenizer = blip_tokenizer()
    shop.seed("captioner")
    captioner = build_captioner(shop.tower(), tokenizer)
    tokens = CaptionTokens(shop.training.captions(), tokenizer)
    shop.train("captioner", captioner, partial(caption_loss, captioner, shop.training, tokens))
    processor = BlipImageProcessor(
        size={"height": PICTURE_SIZE, "width": PICTURE_SIZE}, **NORMALISATION
    )
    shop.save("blip", captioner, tokenizer, processor)


def measure_captioner(shop: Workshop) -> dict[str, object]:
    """Captions right to the letter."""
    captioner, tokenizer = shop.load(BlipForConditionalGeneration, "blip"), blip_tokenizer()
    return {
        f"exact_{kind}": exact_share(
            write_captions(captioner, tokenizer, scenes), scenes.captions()
        )
        for kind, scenes in shop.held_out.items()
    }


def make_segmenter(shop: Workshop) -> None:
    """Trains CLIPSeg, starting from the trained encoder."""
    tokenizer = clip_tokenizer()
    encoder = shop.load(CLIPModel, "clip")
    shop.seed("segmenter")
    segmenter = build_segmenter(encoder)
    pool = CaptionPool(shop.training.captions(), tokenizer)
    shop.train("segmenter", segmenter, partial(segment_loss, segmenter, shop.training, pool))
    processor = ViTImageProcessor(
        size={"height": PICTURE_SIZE, "width": PICTURE_SIZE}, **NORMALISATION
    )
    shop.save("clipseg", segmenter, tokenizer, processor)


def measure_segmenter(shop: Workshop) -> dict[str, object]:
    """Masks of what is there, and of what is not."""
    segmenter = shop.load(CLIPSegForImageSegmentation, "clipseg")
    pool = CaptionPool([], clip_tokenizer())
    one, two = shop.held_out["one_object"], shop.held_out["two_objects"]
    return {
        "iou_one_object": mean_iou(segmenter, pool, one, thing=0, seed=1),
        "iou_first_of_two": mean_iou(segmenter, pool, two, thing=0, seed=2),
        "iou_second_of_two": mean_iou(segmenter, pool, two, thing=1, seed=3),
        "absent_area_one_object": absent_area(segmenter, pool, one, seed=4),
        "absent_area_two_objects": absent_area(segmenter, pool, two, seed=5),
    }


def make_judge(shop: Workshop) -> None:
    """Trains the judge."""
    shop.seed("judge")
    judge = Judge()
    shop.train("judge", judge, partial(judge_loss, judge, shop.training))
    judge.save(shop.weights / "judge")


def measure_judge(shop: Workshop) -> dict[str, object]:
    """Attributes read right."""
    judge = load_judge(shop.weights / "judge")
    return {kind: judge_accuracy(judge, scenes) for kind, scenes in shop.held_out.items()}


def make_autoencoder(shop: Workshop) -> None:
    """Trains the diffusion model's autoencoder."""
    shop.seed("autoencoder")
    autoencoder = build_autoencoder()
    shop.train("autoencoder", autoencoder, partial(autoencoder_loss, autoencoder, shop.training))
    set_scale(autoencoder, shop.training.first(SCALED_ON))
    autoencoder.half().save_pretrained(shop.weights / VAE)


def measure_autoencoder(shop: Workshop) -> dict[str, object]:
    """How well pictures survive the round trip."""
    autoencoder = _load_autoencoder(shop)
    return {kind: reconstruction(autoencoder, scenes) for kind, scenes in shop.held_out.items()}


def _load_autoencoder(shop: Workshop) -> AutoencoderKL:
    autoencoder = AutoencoderKL.from_pretrained(shop.weights / VAE, dtype=torch.float32).eval()
    autoencoder.register_to_config(_name_or_path=None)  # else the folder would be written down
    return autoencoder


def make_denoiser(shop: Workshop) -> None:
    """Trains the noise network and writes the whole diffusion model."""
    autoencoder, tokenizer = _load_autoencoder(shop), clip_tokenizer()
    text_encoder = shop.load(CLIPTextModel, "clip").eval()
    latents = _training_latents(shop, autoencoder)
    captions = CaptionStates(shop.training.captions(), text_encoder, tokenizer)
    shop.seed("denoiser")
    denoiser = build_denoiser(text_encoder.config.hidden_size)
    shop.train(
        "denoiser",
        denoiser,
        partial(denoise_loss, denoiser, build_scheduler(), latents, captions),
    )
    pipeline = assemble(autoencoder, denoiser, text_encoder, tokenizer)
    pipeline.to(dtype=torch.float16)
    pipeline.save_pretrained(shop.weights / DIFFUSION, safe_serialization=True)


def _training_latents(shop: Workshop, autoencoder: AutoencoderKL) -> torch.Tensor:
    """Scaled latents of all training pictures."""
    weights = shop.weights / VAE / "diffusion_pytorch_model.safetensors"
    mark = hashlib.sha256(weights.read_bytes()).hexdigest()[:12]
    found = shop.kept(
        f"latents-{shop.pictures}-{mark}", lambda: encode_all(autoencoder, shop.training)
    )
    scaled: torch.Tensor = found * autoencoder.config.scaling_factor
    return scaled


def measure_denoiser(shop: Workshop) -> dict[str, object]:
    """Pictures painted from captions, as the judge reads them, by guidance scale."""
    pipeline, judge = load_pipeline(shop.weights / DIFFUSION), load_judge()
    figures: dict[str, object] = {}
    for kind, scenes in shop.held_out.items():
        captions = scenes.first(PAINTED).captions()
        figures[kind] = {
            f"guidance_{scale:g}": attributes_right(
                judge, paint(pipeline, captions, guidance_scale=scale, seed=1), captions
            )
            for scale in GUIDANCE_SCALES
        }
    return figures


@dataclass(frozen=True)
class NetworkRecipe:
    """How a network is trained and written, and how what was written is measured."""

    make: Callable[[Workshop], None]
    measure: Callable[[Workshop], dict[str, object]]


NETWORKS = {
    "tower": NetworkRecipe(make_tower, measure_tower),
    "encoder": NetworkRecipe(make_encoder, measure_encoder),
    "captioner": NetworkRecipe(make_captioner, measure_captioner),
    "segmenter": NetworkRecipe(make_segmenter, measure_segmenter),
    "judge": NetworkRecipe(make_judge, measure_judge),
    "autoencoder": NetworkRecipe(make_autoencoder, measure_autoencoder),
    "denoiser": NetworkRecipe(make_denoiser, measure_denoiser),
    "inpainter": NetworkRecipe(make_inpainter, measure_inpainter),
    "dino": NetworkRecipe(make_dino, measure_dino),
    "quantiser": NetworkRecipe(make_quantiser, measure_quantiser),
    "token_painter": NetworkRecipe(make_token_painter, measure_token_painter),
}
"""In the order in which they build on one another."""

SHIPPED = [name for name in NETWORKS if name not in ("tower", "dino")]
