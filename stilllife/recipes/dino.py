"""DINO (Caron et al. 2021) on the still life: a vision transformer taught by its own average."""

import copy
import math
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from transformers import CLIPModel, ViTConfig, ViTImageProcessor, ViTModel

from stilllife.recipes.anchors import anchor_shares, median_distance, most_shares
from stilllife.recipes.augment import augment
from stilllife.recipes.collection import Collection, to_input
from stilllife.recipes.crops import Views
from stilllife.recipes.training import Losses
from stilllife.recipes.workshop import Workshop
from stilllife.scene import PICTURE_SIZE

FOLDER = "dino"
"""In the folder of training states."""

MEASURED = 300
"""Held-out pictures of one thing whose anchors are looked at."""

AT_ONCE = 100

PATCH = 8
WIDTH = 96
PROTOTYPES = 256
BOTTLENECK = 64

LOCAL_SIZE = 32
LOCALS = 4
"""Small crops a picture, beside two large ones; the teacher sees these alone."""

GLOBAL_SHARE = (0.3, 0.8)
LOCAL_SHARE = (0.2, 0.45)
"""Sides of large and of small crops, as shares of the picture's."""

REPAINTED = (0.5, 0.8)
"""Share of crops whose background is painted over, at first and from `CLIMBED` on. An untrained
network sees backgrounds above all; where none agree it finds nothing to begin with."""

CLIMBED = 0.6
"""Share of the steps."""

STUDENT_TEMPERATURE = 0.1
TEACHER_TEMPERATURE = 0.3
"""In standard deviations of what the teacher says of a batch. By the published 0.04, and by 0.02,
in units of the cosines, the scores of all pictures became alike within 400 steps, and the teacher's
words with them."""

FIRST_MOMENTUM = 0.994
"""Of the teacher, which is the student's moving average; it climbs to 1 along a cosine."""

CENTRE_MOMENTUM = 0.9


def build_backbone() -> ViTModel:
    """An untrained vision transformer over patches of 8 pixels, without a pooling layer."""
    config = ViTConfig(
        hidden_size=WIDTH,
        num_hidden_layers=5,
        num_attention_heads=4,
        intermediate_size=4 * WIDTH,
        image_size=PICTURE_SIZE,
        patch_size=PATCH,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        # On a CPU going back through the fused one takes half of a step.
        attn_implementation="eager",
    )
    return ViTModel(config, add_pooling_layer=False)


class Head(nn.Module):
    """Scores (n, prototypes) of CLS tokens: three layers, then cosines to the prototypes.

    Batches are normalised on the way, as an option of the published code has it. Without that the
    scores of this world's pictures are so alike that the teacher says the same of all, and in 500
    steps nothing was learned.
    """

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Linear(WIDTH, 256, bias=False),
            nn.BatchNorm1d(256),
            nn.GELU(),
            nn.Linear(256, 256, bias=False),
            nn.BatchNorm1d(256),
            nn.GELU(),
            nn.Linear(256, BOTTLENECK),
        )
        self.prototypes = nn.Parameter(torch.randn(PROTOTYPES, BOTTLENECK))

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """The cosines."""
        return F.linear(
            F.normalize(self.body(tokens), dim=-1), F.normalize(self.prototypes, dim=-1)
        )


class Dino(nn.Module):
    """Student, teacher, and the centre of what the teacher says; `steps` is how many there are."""

    taken: torch.Tensor
    centre: torch.Tensor

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.steps = steps
        self.student = nn.ModuleDict({"backbone": build_backbone(), "head": Head()})
        self.teacher = copy.deepcopy(self.student).requires_grad_(requires_grad=False)
        self.register_buffer("centre", torch.zeros(PROTOTYPES))
        self.register_buffer("taken", torch.zeros((), dtype=torch.long))

    @property
    def progress(self) -> float:
        """Share of the steps that have been taken."""
        return min(1.0, self.taken.item() / self.steps)

    @torch.no_grad()
    def follow(self) -> None:
        """Moves the teacher towards the student, and counts a step."""
        if self.taken > 0:
            climbed = (1 - math.cos(math.pi * self.progress)) / 2
            momentum = FIRST_MOMENTUM + (1 - FIRST_MOMENTUM) * climbed
            pairs = zip(self.teacher.parameters(), self.student.parameters(), strict=True)
            for behind, ahead in pairs:
                behind.lerp_(ahead, 1 - momentum)
        self.taken += 1

    @torch.no_grad()
    def teach(self, crops: torch.Tensor) -> torch.Tensor:
        """What the teacher says of crops, centred and sharpened; the centre moves on."""
        scores = score(self.teacher, crops).float()
        centred = scores - self.centre
        said = (centred / (TEACHER_TEMPERATURE * centred.std())).softmax(-1)
        self.centre.lerp_(scores.mean(0), 1 - CENTRE_MOMENTUM)
        return said


def score(network: nn.ModuleDict, crops: torch.Tensor) -> torch.Tensor:
    """Scores (n, prototypes) of crops of one size."""
    backbone: Any = network["backbone"]
    tokens = backbone(pixel_values=crops, interpolate_pos_encoding=True).last_hidden_state
    scores: torch.Tensor = network["head"](tokens[:, 0])
    return scores


def dino_loss(
    dino: Dino, collection: Collection, batch_size: int, generator: torch.Generator
) -> Losses:
    """The student's cross entropy with the teacher, on other crops of the same pictures."""
    dino.follow()
    rows = torch.randint(len(collection), (batch_size,), generator=generator)
    first, last = REPAINTED
    repainted = first + (last - first) * min(1.0, dino.progress / CLIMBED)
    pictures = augment(to_input(collection.pixels[rows.numpy()]), generator)
    views = Views(pictures, generator, repainted=repainted)
    large = torch.cat([views.crop(PICTURE_SIZE, GLOBAL_SHARE) for _ in range(2)])
    small = torch.cat([views.crop(LOCAL_SIZE, LOCAL_SHARE) for _ in range(LOCALS)])
    said = dino.teach(large).chunk(2)
    seen = [*score(dino.student, large).chunk(2), *score(dino.student, small).chunk(LOCALS)]
    losses = [
        -(teacher * F.log_softmax(student.float() / STUDENT_TEMPERATURE, dim=-1)).sum(-1).mean()
        for place, teacher in enumerate(said)
        for other, student in enumerate(seen)
        if place != other
    ]
    return {"dino": torch.stack(losses).mean()}


def make_dino(shop: Workshop) -> None:
    """Trains the teacher and writes it beside the training state; it is not shipped."""
    shop.seed("dino")
    dino = Dino(shop.schedule("dino").steps)
    shop.train("dino", dino, partial(dino_loss, dino, shop.training))
    save_teacher(dino, shop.runs / FOLDER)


def save_teacher(dino: Dino, folder: Path) -> None:
    """Writes the teacher in the layout of `ViTModel`, fp16."""
    backbone: Any = dino.teacher["backbone"]
    backbone.half().save_pretrained(folder)
    backbone.float()
    half = [0.5, 0.5, 0.5]
    size = {"height": PICTURE_SIZE, "width": PICTURE_SIZE}
    ViTImageProcessor(size=size, image_mean=half, image_std=half).save_pretrained(folder)


@torch.inference_mode()
def cls_attention(network: Any, pictures: torch.Tensor, *, layer: int = -1) -> torch.Tensor:
    """A layer's attention of the CLS token, the mean of its heads: (n, h, w); the last layer's."""
    maps: list[torch.Tensor] = [
        network(pixel_values=some, output_attentions=True).attentions[layer][:, :, 0, 1:].mean(1)
        for some in pictures.split(AT_ONCE)
    ]
    side = PICTURE_SIZE // PATCH
    attention: torch.Tensor = torch.cat(maps).float().unflatten(1, (side, side))
    return attention


def measure_dino(shop: Workshop) -> dict[str, object]:
    """Share of anchors on the thing, beside those of the encoder's attention and of no network."""
    scenes = shop.held_out["one_object"].first(MEASURED)
    pictures, regions = to_input(scenes.pixels), torch.from_numpy(scenes.regions)
    side = PICTURE_SIZE // PATCH
    eager = {"attn_implementation": "eager", "dtype": torch.float32}
    dino = ViTModel.from_pretrained(shop.runs / FOLDER, add_pooling_layer=False, **eager)
    clip = CLIPModel.from_pretrained(shop.weights / "clip", **eager)
    generator = torch.Generator().manual_seed(1)
    maps = {
        "dino": cls_attention(dino, pictures),
        "clip": cls_attention(clip.vision_model, pictures),
        "median_colour": median_distance(pictures, (side, side)),
        "random": torch.rand(len(pictures), side, side, generator=generator),
    }
    shares: dict[str, object] = {n: anchor_shares(some, regions) for n, some in maps.items()}
    return shares | {"at_most": most_shares(regions, (side, side))}
