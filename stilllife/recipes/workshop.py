"""What the recipes share: pictures, schedules, folders and the record of what came out."""

import argparse
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import torch
from torch import nn
from transformers import ImageProcessingMixin, PreTrainedModel, PreTrainedTokenizerBase

from stilllife.recipes.collection import HELD_OUT_SEEDS, TRAINING_SEED, Collection, collect
from stilllife.recipes.tower import Tower
from stilllife.recipes.training import Losses, Schedule, train
from stilllife.scene import Mix

ModelT = TypeVar("ModelT", bound=PreTrainedModel)

SCHEDULES = {
    "tower": Schedule(steps=3000, batch_size=64, learning_rate=1e-3, seed=1),
    "encoder": Schedule(steps=2000, batch_size=64, learning_rate=5e-4, seed=2),
    "captioner": Schedule(steps=2400, batch_size=64, learning_rate=6e-4, seed=3),
    "segmenter": Schedule(steps=7000, batch_size=32, learning_rate=8e-4, seed=4),
    "judge": Schedule(steps=3000, batch_size=64, learning_rate=2e-3, seed=5),
    "autoencoder": Schedule(
        steps=5000, batch_size=16, learning_rate=1e-3, seed=6, weight_decay=0.0, average=0.998
    ),
    "denoiser": Schedule(
        steps=5500, batch_size=64, learning_rate=1e-3, seed=7, weight_decay=0.0, average=0.999
    ),
    "inpainter": Schedule(
        steps=2000, batch_size=40, learning_rate=8e-4, seed=8, weight_decay=0.0, average=0.998
    ),
    "dino": Schedule(steps=1300, batch_size=40, learning_rate=7e-4, seed=9, weight_decay=0.04),
    "quantiser": Schedule(
        steps=3400, batch_size=8, learning_rate=2e-3, seed=8, weight_decay=0.0, average=0.998
    ),
    "token_painter": Schedule(
        steps=5000, batch_size=40, learning_rate=1e-3, seed=9, weight_decay=0.0, average=0.999
    ),
}


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

    def kept(self, name: str, make: Callable[[], torch.Tensor]) -> torch.Tensor:
        """A tensor that takes long to make, from the cache where it was made before."""
        path = self.runs / "cache" / f"{name}.pt"
        if path.exists():
            known: torch.Tensor = torch.load(path, weights_only=True)
            return known
        made = make()
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".tmp")
        torch.save(made, unfinished)
        unfinished.replace(path)
        return made

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
        model: ModelT = kind.from_pretrained(self.weights / folder, dtype=torch.float32)
        return model

    def record(self, part: str, facts: Mapping[str, object]) -> None:
        """Adds `facts` on a part to `figures.json`, from which the model card is written."""
        path = self.weights / "figures.json"
        known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        known.setdefault(part, {}).update(facts)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(known, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        print(json.dumps({part: facts}), flush=True)
