"""How often the patches that stand out in a still life lie on its thing.

    python benchmarks/anchors.py [--preset NAME] [--pictures N] [--dino DIR] [--seed N] [--json]

Of held-out pictures of one thing, the 1, 3 and 9 patches of the highest attention by the preset's
backbone and, with `--dino`, by the one in a folder, and by its earlier layers; beside them the
patches whose colour is farthest from the picture's median, and ones drawn at random. A patch lies
on a thing that covers a quarter of it. The truth of the pictures is used to judge alone.
"""

import argparse
from collections.abc import Mapping
from typing import Any

import support.silent_libraries  # noqa: F401
import torch
from support.intervals import bootstrap_mean
from support.reporting import Target, add_report_flags, at_least, finish
from transformers import ViTModel

from editing.features.backbone import Backbone
from editing.features.backbone_loaders import load_backbone
from pipelines.terminal.console import print_table
from stilllife.recipes.anchors import (
    FIRST,
    anchor_shares,
    median_distance,
    most_shares,
    things_on_grid,
)
from stilllife.recipes.collection import HELD_OUT_SEEDS, Collection, collect, to_input
from stilllife.recipes.dino import cls_attention
from stilllife.scene import Mix
from transforms.models.spec import ModelSpec
from transforms.presets import load_preset

AT_ONCE = 100


def draw_pictures(count: int, *, seed: int) -> Collection:
    """Held-out pictures of one thing; each `seed` gives others, 0 the model card's."""
    return collect(HELD_OUT_SEEDS["test"] + seed, count, Mix(two_objects=0.0, held_out=True))


def attention(backbone: Backbone, pictures: torch.Tensor) -> torch.Tensor:
    """The backbone's attention (n, h, w)."""
    return torch.cat([backbone(some).attention for some in pictures.split(AT_ONCE)])


def earlier_layers(folder: str, pictures: torch.Tensor) -> dict[str, torch.Tensor]:
    """The attention (n, h, w) of a DINO's CLS token in each layer before the last, by its name."""
    network = ViTModel.from_pretrained(
        folder, add_pooling_layer=False, attn_implementation="eager", dtype=torch.float32
    )
    count = network.config.num_hidden_layers
    names = {f"dino, layer {number} of {count}": number - 1 for number in range(1, count)}
    return {name: cls_attention(network, pictures, layer=place) for name, place in names.items()}


def measure(
    backbones: Mapping[str, Backbone], scenes: Collection, *, seed: int, dino: str | None = None
) -> dict[str, Any]:
    """Of each way to find things, `top_1`, `top_3`, `top_9` and the interval of the first."""
    pictures, regions = to_input(scenes.pixels), torch.from_numpy(scenes.regions)
    maps = {name: attention(backbone, pictures) for name, backbone in backbones.items()}
    if dino is not None:
        maps |= earlier_layers(dino, pictures)
    _, height, width = next(iter(maps.values())).shape
    grid = (height, width)
    generator = torch.Generator().manual_seed(seed)
    maps["colour distance from the median"] = median_distance(pictures, grid)
    maps["random"] = torch.rand(len(pictures), *grid, generator=generator)
    found: dict[str, Any] = {}
    for name, some in maps.items():
        on_thing = things_on_grid(regions, (some.shape[1], some.shape[2])).flatten(1)
        first = on_thing.gather(1, some.flatten(1).argmax(1, keepdim=True))[:, 0].float()
        interval = bootstrap_mean(first.tolist())
        found[name] = anchor_shares(some, regions) | {"top_1_interval": interval}
    return found | {"at most": most_shares(regions, grid)}


def list_targets(figures: Mapping[str, Any]) -> list[Target]:
    """That the preset's backbone finds things, and what else there is to find them by."""
    shares = figures["shares"]
    return [
        Target(
            name=f"best patch on the thing, {name}",
            value=found["top_1"],
            bound=at_least(0.95, kind="guard") if name == figures["preset"] else None,
            interval=found.get("top_1_interval"),
        )
        for name, found in sorted(shares.items())
    ]


def main() -> None:
    """Reads the arguments, measures, prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--preset", default="stilllife", help="whose backbone (default stilllife)")
    parser.add_argument("--pictures", type=int, default=300, help="pictures (default 300)")
    parser.add_argument("--dino", help="folder of a DINO to measure beside it")
    add_report_flags(parser, seed_help="draws pictures and random patches (default 0)")
    arguments = parser.parse_args()
    spec = load_preset(arguments.preset).part("backbone")
    name = f"{arguments.preset}: {spec.loader}"
    backbones = {name: load_backbone(spec)}
    if arguments.dino:
        backbones["dino"] = load_backbone(ModelSpec(loader="dino", location=arguments.dino))
    scenes = draw_pictures(arguments.pictures, seed=arguments.seed)
    figures = {
        "preset": name,
        "pictures": arguments.pictures,
        "shares": measure(backbones, scenes, seed=arguments.seed, dino=arguments.dino),
    }
    rows = [(way, *(each[f"top_{n}"] for n in FIRST)) for way, each in figures["shares"].items()]
    columns = ("", *(f"best {n}" for n in FIRST))
    print_table("share of patches on the thing", rows, columns=columns)
    finish(arguments, figures=figures, targets=list_targets(figures))


if __name__ == "__main__":
    main()
