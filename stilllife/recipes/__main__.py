"""`python -m stilllife.recipes PART`: trains one part of the world's models, or `all` of them."""

import argparse
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TypeVar

import torch
from torch import nn
from transformers import (
    BlipForConditionalGeneration,
    BlipImageProcessor,
    CLIPImageProcessor,
    CLIPModel,
    CLIPSegForImageSegmentation,
    ImageProcessingMixin,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    ViTImageProcessor,
)

from stilllife.judge import Judge, load_judge
from stilllife.recipes.captioner import (
    CaptionTokens,
    build_captioner,
    caption_loss,
    exact_share,
    write_captions,
)
from stilllife.recipes.card import write_card
from stilllife.recipes.collection import HELD_OUT_SEEDS, TRAINING_SEED, Collection, collect
from stilllife.recipes.encoder import CaptionPool, build_encoder, encoder_loss, recall_at_1
from stilllife.recipes.judge import judge_accuracy, judge_loss
from stilllife.recipes.segmenter import absent_area, build_segmenter, mean_iou, segment_loss
from stilllife.recipes.tokenizers import blip_tokenizer, clip_tokenizer
from stilllife.recipes.tower import Tower, scene_accuracy, tower_loss
from stilllife.recipes.training import Losses, Schedule, train
from stilllife.scene import PICTURE_SIZE, Mix

ModelT = TypeVar("ModelT", bound=PreTrainedModel)

WEIGHTS = Path(__file__).resolve().parent.parent / "weights"

SCHEDULES = {
    "tower": Schedule(steps=3000, batch_size=64, learning_rate=1e-3, seed=1),
    "encoder": Schedule(steps=2000, batch_size=64, learning_rate=5e-4, seed=2),
    "captioner": Schedule(steps=2400, batch_size=64, learning_rate=6e-4, seed=3),
    "segmenter": Schedule(steps=7000, batch_size=32, learning_rate=8e-4, seed=4),
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
        self.bfloat16 = arguments.bfloat16
        self.threads = arguments.threads
        self.measured_seed = HELD_OUT_SEEDS[arguments.measure]

    @cached_property
    def training(self) -> Collection:
        """Rendered training scenes, none with a held-out combination."""
        return self._collect(TRAINING_SEED, self.pictures, Mix(0.6, held_out=False))

    @cached_property
    def held_out(self) -> dict[str, Collection]:
        """2000 held-out scenes of each kind, each with a combination that training never shows."""
        return {
            "one_object": self._collect(self.measured_seed, 2000, Mix(0.0, held_out=True)),
            "two_objects": self._collect(self.measured_seed, 2000, Mix(1.0, held_out=True)),
        }

    def _collect(self, seed: int, count: int, mix: Mix) -> Collection:
        cache = self.runs / "cache"
        return collect(seed, count, mix, workers=self.workers, cache=cache)

    def schedule(self, part: str) -> Schedule:
        """The part's schedule, shortened or stretched by --scale."""
        schedule = SCHEDULES[part]
        steps = max(1, round(schedule.steps * self.scale))
        return replace(schedule, steps=steps, warmup_steps=min(150, steps // 4 + 1))

    def train(
        self, part: str, model: nn.Module, loss_of: Callable[[int, torch.Generator], Losses]
    ) -> None:
        """Trains `model` by the part's schedule on `loss_of(batch_size, generator)`."""
        schedule = self.schedule(part)
        seconds = train(
            part,
            model,
            lambda generator, _: loss_of(schedule.batch_size, generator),
            schedule,
            checkpoint=self._checkpoint(part),
            bfloat16=self.bfloat16,
        )
        facts = {
            "steps": schedule.steps,
            "batch_size": schedule.batch_size,
            "seed": schedule.seed,
            "precision": "bfloat16" if self.bfloat16 else "float32",
            "threads": self.threads,
            "seconds": round(seconds),
        }
        self.record(part, facts)

    def seed(self, part: str) -> None:
        """Seeds what is drawn before training: the part's first weights."""
        torch.manual_seed(self.schedule(part).seed)

    def _checkpoint(self, part: str) -> Path:
        return self.runs / f"{part}.pt"

    def tower(self) -> Tower:
        """The trained tower of an earlier `tower` run."""
        tower = Tower()
        path = self._checkpoint("tower")
        if not path.exists():
            raise SystemExit(f"recipes: {path} is missing: run `python -m stilllife.recipes tower`")
        tower.load_state_dict(torch.load(path, weights_only=True)["model"])
        return tower

    def save(
        self,
        folder: str,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        processor: ImageProcessingMixin,
    ) -> None:
        """Writes fp16 safetensors and all that loading takes; the model itself stays float32."""
        model.half().save_pretrained(self.weights / folder)
        model.float()
        tokenizer.save_pretrained(self.weights / folder)
        processor.save_pretrained(self.weights / folder)

    def load(self, kind: type[ModelT], folder: str) -> ModelT:
        """A model as `save` wrote it, in float32."""
        return kind.from_pretrained(self.weights / folder, dtype=torch.float32)

    def record(self, part: str, facts: Mapping[str, object]) -> None:
        """Adds `facts` on a part to `figures.json`, from which the model card is written."""
        path = self.weights / "figures.json"
        known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        known.setdefault(part, {}).update(facts)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(known, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        print(json.dumps({part: facts}), flush=True)


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


@dataclass(frozen=True)
class Part:
    """How a part is trained and written, and how what was written is measured."""

    make: Callable[[Workshop], None]
    measure: Callable[[Workshop], dict[str, object]]


PARTS = {
    "tower": Part(make_tower, measure_tower),
    "encoder": Part(make_encoder, measure_encoder),
    "captioner": Part(make_captioner, measure_captioner),
    "segmenter": Part(make_segmenter, measure_segmenter),
    "judge": Part(make_judge, measure_judge),
}
"""In the order in which they build on one another."""

SHIPPED = [name for name in PARTS if name != "tower"]


def main(argv: list[str] | None = None) -> int:
    """Trains what the command line names and records its held-out figures."""
    parser = argparse.ArgumentParser(prog="python -m stilllife.recipes", description=__doc__)
    parser.add_argument(
        "part",
        choices=[*PARTS, "all", "measure", "card"],
        help="what to train; or measure what is shipped again, or write its card again",
    )
    parser.add_argument("--runs", default="runs", help="where training state and pictures lie")
    parser.add_argument("--weights", default=str(WEIGHTS), help="where the models are written")
    parser.add_argument("--pictures", type=int, default=120_000, help="training pictures to render")
    parser.add_argument("--workers", type=int, default=1, help="processes that render")
    parser.add_argument("--threads", type=int, default=1, help="threads that train")
    parser.add_argument("--scale", type=float, default=1.0, help="of every schedule's length")
    parser.add_argument(
        "--bfloat16", action="store_true", help="for processors with AVX-512 BF16 or AMX, and GPUs"
    )
    parser.add_argument(
        "--measure",
        choices=HELD_OUT_SEEDS,
        default="test",
        help="held-out pictures for the figures: validation to choose recipes by, test to report",
    )
    arguments = parser.parse_args(argv)
    if arguments.scale <= 0:
        parser.error(f"--scale must be above 0, got {arguments.scale}")
    torch.set_num_threads(arguments.threads)
    shop = Workshop(arguments)
    trained = [part for part in PARTS if arguments.part in (part, "all")]
    for part in trained:
        PARTS[part].make(shop)
    for part in SHIPPED if arguments.part == "measure" else trained:
        figures = PARTS[part].measure(shop)
        shop.record(part, {"held_out": figures, "measured_on": shop.measured_seed})
    write_card(shop.weights)
    return 0


if __name__ == "__main__":
    sys.exit(main())
