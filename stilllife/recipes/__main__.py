"""`python -m stilllife.recipes PART`: trains one part of the world's models, or `all` of them."""

import argparse
import json
import sys
import time
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import torch
from transformers import (
    BlipImageProcessor,
    CLIPImageProcessor,
    CLIPModel,
    PreTrainedModel,
    ViTImageProcessor,
)

from stilllife.judge import Judge
from stilllife.recipes.captioner import (
    CaptionTokens,
    build_captioner,
    caption_loss,
    exact_share,
    write_captions,
)
from stilllife.recipes.card import write_card
from stilllife.recipes.collection import HELD_OUT_SEED, TRAINING_SEED, Collection, collect
from stilllife.recipes.encoder import CaptionPool, build_encoder, encoder_loss, recall_at_1
from stilllife.recipes.judge import judge_accuracy, judge_loss
from stilllife.recipes.segmenter import absent_area, build_segmenter, mean_iou, segment_loss
from stilllife.recipes.tokenizers import blip_tokenizer, clip_tokenizer
from stilllife.recipes.tower import Tower, scene_accuracy, tower_loss
from stilllife.recipes.training import Schedule, train
from stilllife.scene import PICTURE_SIZE, Mix

WEIGHTS = Path(__file__).resolve().parent.parent / "weights"

SCHEDULES = {
    "tower": Schedule(steps=2400, batch_size=64, learning_rate=1e-3, seed=1),
    "encoder": Schedule(steps=1500, batch_size=64, learning_rate=5e-4, seed=2),
    "captioner": Schedule(steps=2400, batch_size=64, learning_rate=6e-4, seed=3),
    "segmenter": Schedule(steps=6000, batch_size=32, learning_rate=8e-4, seed=4),
    "judge": Schedule(steps=3000, batch_size=64, learning_rate=2e-3, seed=5),
}
NORMALISATION = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}


class Workshop:
    """What the recipes share: pictures, tokenizers, folders and settings."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.runs = Path(arguments.runs)
        self.weights = Path(arguments.weights)
        self.workers = arguments.workers
        self.pictures = arguments.pictures
        self.scale = arguments.scale

    @cached_property
    def training(self) -> Collection:
        """Rendered training scenes, none with a held-out combination."""
        return self._collect(TRAINING_SEED, self.pictures, Mix(0.6, held_out=False))

    @cached_property
    def held_out(self) -> dict[str, Collection]:
        """2000 held-out scenes of each kind, each with a combination that training never shows."""
        return {
            "one_object": self._collect(HELD_OUT_SEED, 2000, Mix(0.0, held_out=True)),
            "two_objects": self._collect(HELD_OUT_SEED, 2000, Mix(1.0, held_out=True)),
        }

    def _collect(self, seed: int, count: int, mix: Mix) -> Collection:
        cache = self.runs / "cache"
        return collect(seed, count, mix, workers=self.workers, cache=cache)

    def schedule(self, part: str) -> Schedule:
        """The part's schedule, shortened or stretched by --scale."""
        schedule = SCHEDULES[part]
        steps = max(1, round(schedule.steps * self.scale))
        return replace(schedule, steps=steps, warmup_steps=min(150, steps // 4 + 1))

    def checkpoint(self, part: str) -> Path:
        """Where the part's training state lies."""
        return self.runs / f"{part}.pt"

    def tower(self) -> Tower:
        """The trained tower of an earlier `tower` run."""
        tower = Tower()
        path = self.checkpoint("tower")
        if not path.exists():
            raise SystemExit(f"recipes: {path} is missing: run `python -m stilllife.recipes tower`")
        tower.load_state_dict(torch.load(path, weights_only=True)["model"])
        return tower

    def save(self, model: PreTrainedModel, folder: str) -> None:
        """Writes fp16 safetensors and the configuration; the model itself stays float32."""
        model.half().save_pretrained(self.weights / folder)
        model.float()

    def record(self, part: str, figures: dict[str, object], seconds: float) -> None:
        """Writes the part's held-out figures beside its weights' model card."""
        path = self.weights / "figures.json"
        known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        schedule = self.schedule(part)
        known[part] = {
            "held_out": figures,
            "steps": schedule.steps,
            "batch_size": schedule.batch_size,
            "seed": schedule.seed,
            "seconds": round(seconds),
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(known, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        print(json.dumps({part: figures}), flush=True)


def make_tower(shop: Workshop) -> dict[str, object]:
    """Trains the vision tower that the others start from."""
    schedule = shop.schedule("tower")
    torch.manual_seed(schedule.seed)
    tower = Tower()
    train(
        "tower",
        tower,
        lambda generator, _: tower_loss(tower, shop.training, schedule.batch_size, generator),
        schedule,
        checkpoint=shop.checkpoint("tower"),
    )
    return {kind: scene_accuracy(tower, scenes) for kind, scenes in shop.held_out.items()}


def make_encoder(shop: Workshop) -> dict[str, object]:
    """Trains CLIP."""
    schedule = shop.schedule("encoder")
    tokenizer = clip_tokenizer()
    torch.manual_seed(schedule.seed)
    encoder = build_encoder(shop.tower(), tokenizer)
    pool = CaptionPool(shop.training.captions(), tokenizer)
    train(
        "encoder",
        encoder,
        lambda generator, _: encoder_loss(
            encoder, shop.training, pool, schedule.batch_size, generator
        ),
        schedule,
        checkpoint=shop.checkpoint("encoder"),
    )
    shop.save(encoder, "clip")
    tokenizer.save_pretrained(shop.weights / "clip")
    CLIPImageProcessor(
        size={"shortest_edge": PICTURE_SIZE},
        crop_size={"height": PICTURE_SIZE, "width": PICTURE_SIZE},
        **NORMALISATION,
    ).save_pretrained(shop.weights / "clip")
    return {"recall_at_1": recall_at_1(encoder, pool, shop.held_out["one_object"])}


def make_captioner(shop: Workshop) -> dict[str, object]:
    """Trains BLIP."""
    schedule = shop.schedule("captioner")
    tokenizer = blip_tokenizer()
    torch.manual_seed(schedule.seed)
    captioner = build_captioner(shop.tower(), tokenizer)
    tokens = CaptionTokens(shop.training.captions(), tokenizer)
    train(
        "captioner",
        captioner,
        lambda generator, _: caption_loss(
            captioner, shop.training, tokens, schedule.batch_size, generator
        ),
        schedule,
        checkpoint=shop.checkpoint("captioner"),
    )
    shop.save(captioner, "blip")
    tokenizer.save_pretrained(shop.weights / "blip")
    BlipImageProcessor(
        size={"height": PICTURE_SIZE, "width": PICTURE_SIZE}, **NORMALISATION
    ).save_pretrained(shop.weights / "blip")
    return {
        f"exact_{kind}": exact_share(
            write_captions(captioner, tokenizer, scenes), scenes.captions()
        )
        for kind, scenes in shop.held_out.items()
    }


def make_segmenter(shop: Workshop) -> dict[str, object]:
    """Trains CLIPSeg, starting from the trained encoder."""
    schedule = shop.schedule("segmenter")
    tokenizer = clip_tokenizer()
    encoder = CLIPModel.from_pretrained(shop.weights / "clip", dtype=torch.float32)
    torch.manual_seed(schedule.seed)
    segmenter = build_segmenter(encoder)
    pool = CaptionPool(shop.training.captions(), tokenizer)
    train(
        "segmenter",
        segmenter,
        lambda generator, _: segment_loss(
            segmenter, shop.training, pool, schedule.batch_size, generator
        ),
        schedule,
        checkpoint=shop.checkpoint("segmenter"),
    )
    shop.save(segmenter, "clipseg")
    tokenizer.save_pretrained(shop.weights / "clipseg")
    ViTImageProcessor(
        size={"height": PICTURE_SIZE, "width": PICTURE_SIZE}, **NORMALISATION
    ).save_pretrained(shop.weights / "clipseg")
    one, two = shop.held_out["one_object"], shop.held_out["two_objects"]
    return {
        "iou_one_object": mean_iou(segmenter, pool, one, thing=0, seed=1),
        "iou_first_of_two": mean_iou(segmenter, pool, two, thing=0, seed=2),
        "iou_second_of_two": mean_iou(segmenter, pool, two, thing=1, seed=3),
        "absent_area_one_object": absent_area(segmenter, pool, one, seed=4),
        "absent_area_two_objects": absent_area(segmenter, pool, two, seed=5),
    }


def make_judge(shop: Workshop) -> dict[str, object]:
    """Trains the judge."""
    schedule = shop.schedule("judge")
    torch.manual_seed(schedule.seed)
    judge = Judge()
    train(
        "judge",
        judge,
        lambda generator, _: judge_loss(judge, shop.training, schedule.batch_size, generator),
        schedule,
        checkpoint=shop.checkpoint("judge"),
    )
    judge.save(shop.weights / "judge")
    return {kind: judge_accuracy(judge, scenes) for kind, scenes in shop.held_out.items()}


PARTS = {
    "tower": make_tower,
    "encoder": make_encoder,
    "captioner": make_captioner,
    "segmenter": make_segmenter,
    "judge": make_judge,
}
"""In the order in which they build on one another."""


def main(argv: list[str] | None = None) -> int:
    """Trains what the command line names and records its held-out figures."""
    parser = argparse.ArgumentParser(prog="python -m stilllife.recipes", description=__doc__)
    parser.add_argument("part", choices=[*PARTS, "all", "card"])
    parser.add_argument("--runs", default="runs", help="where training state and pictures lie")
    parser.add_argument("--weights", default=str(WEIGHTS), help="where the models are written")
    parser.add_argument("--pictures", type=int, default=120_000, help="training pictures to render")
    parser.add_argument("--workers", type=int, default=1, help="processes that render")
    parser.add_argument("--threads", type=int, default=1, help="threads that train")
    parser.add_argument("--scale", type=float, default=1.0, help="of every schedule's length")
    arguments = parser.parse_args(argv)
    if arguments.scale <= 0:
        parser.error(f"--scale must be above 0, got {arguments.scale}")
    torch.set_num_threads(arguments.threads)
    shop = Workshop(arguments)
    chosen = {"all": list(PARTS), "card": []}.get(arguments.part, [arguments.part])
    for part in chosen:
        began = time.monotonic()
        figures = PARTS[part](shop)
        shop.record(part, figures, time.monotonic() - began)
    write_card(shop.weights)
    return 0


if __name__ == "__main__":
    sys.exit(main())
