"""How well structure maps keep an object in place, on rendered still lifes.

    python benchmarks/structure_position.py [--pool N] [--queries N] [--seed N] [--json]

For a picture of one object, a true edit of its caption is drawn; among the pool's pictures with
exactly that caption the one with the most similar structure map is taken. Printed is the mean
distance of the two objects' centres in pixels (pictures are 64 x 64), beside that of the nearest
such picture and of one drawn at random.
"""

import argparse
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image
from support.intervals import bootstrap_mean
from support.reporting import Target, add_report_flags, at_most, finish

from stilllife.render import render
from stilllife.scene import Mix, Scene, draw_scene
from stilllife.words import BACKGROUNDS, COLOURS, FAMILIES, SIZES
from transforms.pictures.structure import structure_map, structure_similarity

EXCHANGEABLE = (*FAMILIES.values(), COLOURS, SIZES, BACKGROUNDS)


def edited_captions(caption: str) -> list[str]:
    """Every caption that differs from `caption` in one word other than its side."""
    words = caption.split()
    return [
        " ".join([*words[:place], other, *words[place + 1 :]])
        for place, word in enumerate(words)
        for group in EXCHANGEABLE
        if word in group
        for other in group
        if other != word
    ]


def distance(first: Scene, second: Scene) -> float:
    """Distance of the centres of the two scenes' first things, in pixels."""
    one, other = first.things[0], second.things[0]
    return float(np.hypot(one.centre_x - other.centre_x, one.centre_y - other.centre_y))


def measure(pool: int, queries: int, *, seed: int) -> dict[str, list[float]]:
    """Of each answered query the distances `structure`, `nearest` and `random`, in pixels.

    And `candidates`: how many pictures had the caption.
    """
    scenes = [draw_scene(seed, number, Mix(two_objects=0.0)) for number in range(pool)]
    maps = [structure_map(Image.fromarray(render(scene).pixels)) for scene in scenes]
    by_caption: dict[str, list[int]] = defaultdict(list)
    for number, scene in enumerate(scenes):
        by_caption[scene.caption()].append(number)
    rng = np.random.default_rng(seed)
    found: dict[str, list[float]] = defaultdict(list)
    for number in rng.permutation(pool)[:queries]:
        edits = edited_captions(scenes[number].caption())
        candidates = by_caption.get(edits[rng.integers(len(edits))], [])
        if not candidates:
            continue
        alike = [structure_similarity(maps[number], maps[each]) for each in candidates]
        distances = [distance(scenes[number], scenes[each]) for each in candidates]
        found["structure"].append(distances[int(np.argmax(alike))])
        found["nearest"].append(min(distances))
        found["random"].append(float(np.mean(distances)))
        found["candidates"].append(len(candidates))
    return dict(found)


def read_figures(found: Mapping[str, list[float]]) -> dict[str, Any]:
    """Means, the interval of what structure maps find, and the number of answered queries."""
    means = {name: float(np.mean(values)) for name, values in found.items()}
    interval = bootstrap_mean(found["structure"])
    return means | {"structure_interval": interval, "answered": len(found["structure"])}


def list_targets(figures: Mapping[str, Any]) -> list[Target]:
    """How far the most similar picture's object is, beside the best and the usual distance."""
    return [
        Target(
            name="distance by structure map, px",
            value=figures["structure"],
            bound=at_most(4.5, kind="guard"),
            interval=figures["structure_interval"],
        ),
        Target(name="least distance there is, px", value=figures["nearest"]),
        Target(name="distance of a random picture, px", value=figures["random"]),
    ]


def main() -> None:
    """Reads the arguments, measures, prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pool", type=int, default=10_000)
    parser.add_argument("--queries", type=int, default=1_000)
    add_report_flags(parser)
    arguments = parser.parse_args()
    found = measure(arguments.pool, arguments.queries, seed=arguments.seed)
    figures = read_figures(found) | {"pool": arguments.pool}
    for name in found:
        unit = "" if name == "candidates" else " px"
        print(f"{name:12}{figures[name]:8.2f}{unit}")
    finish(arguments, figures=figures, targets=list_targets(figures))


if __name__ == "__main__":
    main()
