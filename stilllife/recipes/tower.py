"""The vision tower that encoder, captioner and segmenter start from.

A CLIP vision transformer learns from the renderer's truth: what is in every patch (noun, colour,
size, and the outline inside the patch), and every attribute of the scene from the class token.
Dense truth teaches in minutes what contrast or captions alone would teach in hours; the models
that are shipped are then trained on pictures and captions as their classes always are.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn
from transformers import CLIPVisionConfig, CLIPVisionModel

from stilllife.fields import ABSENT, FIELDS
from stilllife.recipes.augment import augment, turn_hues
from stilllife.recipes.collection import Collection, to_input
from stilllife.recipes.training import Losses
from stilllife.scene import PICTURE_SIZE
from stilllife.words import COLOURS, NOUNS, SIZES

PATCH = 8
GRID = PICTURE_SIZE // PATCH
PATCH_FIELDS = {"noun": NOUNS, "colour": COLOURS, "size": SIZES}
COVERED = 0.12
"""Share of a patch that a thing must cover to be the patch's thing."""

TURNED_SHARE = 0.6
"""Share of training pictures whose hues are turned to ones that no word names."""


def vision_config() -> CLIPVisionConfig:
    """The tower's shape: 6 layers of width 128 on 8 x 8 patches of 8 pixels."""
    return CLIPVisionConfig(
        hidden_size=128,
        intermediate_size=512,
        num_hidden_layers=6,
        num_attention_heads=4,
        image_size=PICTURE_SIZE,
        patch_size=PATCH,
        hidden_act="gelu",
        projection_dim=128,
        attn_implementation="eager",
    )


class Tower(nn.Module):
    """The vision transformer with the heads that dense truth needs."""

    def __init__(self) -> None:
        super().__init__()
        self.vision = CLIPVisionModel(vision_config())
        width = self.vision.config.hidden_size
        self.scene_heads = nn.ModuleDict(
            {name.replace(".", "_"): nn.Linear(width, len(v)) for name, v in FIELDS.items()}
        )
        self.patch_heads = nn.ModuleDict(
            {name: nn.Linear(width, len(values) + 1) for name, values in PATCH_FIELDS.items()}
        )
        self.outline = nn.Sequential(
            nn.Linear(width, 128), nn.GELU(), nn.Linear(128, PATCH * PATCH)
        )


@dataclass(frozen=True)
class PatchTruth:
    """What stands in each patch: `labels` (n, 64) per field, 0 = nothing; `outline` (n, 64, 64)."""

    labels: dict[str, torch.Tensor]
    outline: torch.Tensor


def patch_truth(collection: Collection, rows: torch.Tensor) -> PatchTruth:
    """The truth of every patch of the pictures `rows`, in the order of the tower's tokens."""
    regions = torch.from_numpy(collection.regions[rows.numpy()])
    tiles = regions.view(-1, GRID, PATCH, GRID, PATCH).permute(0, 1, 3, 2, 4)
    tiles = tiles.reshape(len(rows), GRID * GRID, PATCH * PATCH)
    cover = torch.stack([(tiles == order).float().mean(-1) for order in (1, 2)], dim=-1)
    share, owner = cover.max(-1)
    labels = {}
    for name in PATCH_FIELDS:
        pair = torch.stack(
            [
                torch.from_numpy(collection.labels[f"{order}.{name}"][rows.numpy()])
                for order in ("first", "second")
            ],
            dim=-1,
        )
        value = torch.gather(pair.clamp(min=0), 1, owner)
        labels[name] = torch.where(share > COVERED, value + 1, torch.zeros_like(value))
    return PatchTruth(labels=labels, outline=(tiles > 0).float())


def _is_asked(field: str, turned: torch.Tensor) -> torch.Tensor:
    """Of which pictures (n,) an attribute is asked, given whose hues are `turned`.

    Colours are asked where they have a name; nouns and sizes where they have none, so that no noun
    can be learned as one that does not occur in some colour; everything else always.
    """
    kind = field.rpartition(".")[2]
    if kind == "colour":
        return ~turned
    if kind in ("noun", "size"):
        return turned
    return torch.ones_like(turned)


def _scene_loss(
    tower: Tower,
    pooled: torch.Tensor,
    collection: Collection,
    rows: torch.Tensor,
    turned: torch.Tensor,
) -> torch.Tensor:
    """Mean cross entropy of the attributes of the scenes `rows`, read from `pooled` (n, width)."""
    terms = []
    for name in FIELDS:
        wanted = torch.from_numpy(collection.labels[name][rows.numpy()])
        wanted = torch.where(_is_asked(name, turned), wanted, ABSENT)
        logits = tower.scene_heads[name.replace(".", "_")](pooled).float()
        terms.append(F.cross_entropy(logits, wanted, ignore_index=ABSENT))
    return torch.stack(terms).mean()


def tower_loss(
    tower: Tower, collection: Collection, batch_size: int, generator: torch.Generator
) -> Losses:
    """The tower's losses on a random batch: `scene`, `patch` and `outline`."""
    rows = torch.randint(len(collection), (batch_size,), generator=generator)
    images = augment(to_input(collection.pixels[rows.numpy()]), generator)
    images, turned = turn_hues(images, collection.colours(rows), TURNED_SHARE, generator)
    output = tower.vision(pixel_values=images)
    tokens = output.last_hidden_state[:, 1:]
    truth = patch_truth(collection, rows)
    patch = []
    for name, labels in truth.labels.items():
        asked = _is_asked(name, turned)
        logits = tower.patch_heads[name](tokens[asked]).float()
        patch.append(F.cross_entropy(logits.flatten(0, 1), labels[asked].flatten()))
    outline = F.binary_cross_entropy_with_logits(tower.outline(tokens).float(), truth.outline)
    return {
        "scene": _scene_loss(tower, output.pooler_output, collection, rows, turned),
        "patch": torch.stack(patch).mean(),
        "outline": outline,
    }


@torch.inference_mode()
def scene_accuracy(tower: Tower, collection: Collection) -> dict[str, float]:
    """Share of scenes whose attribute is read right, by attribute, and `all` of them."""
    right = torch.ones(len(collection), dtype=torch.bool)
    figures = {}
    parts = [
        tower.vision(pixel_values=to_input(collection.pixels[start : start + 500]))
        for start in range(0, len(collection), 500)
    ]
    pooled = torch.cat([part.pooler_output for part in parts])
    for name in FIELDS:
        wanted = torch.from_numpy(collection.labels[name])
        known = wanted != ABSENT
        found = tower.scene_heads[name.replace(".", "_")](pooled).argmax(-1)
        if known.any():
            figures[name] = (found == wanted)[known].float().mean().item()
        right &= (found == wanted) | ~known
    return figures | {"all": right.float().mean().item()}
