"""Training of the judge on truth."""

import torch
import torch.nn.functional as F

from stilllife.fields import ABSENT, FIELDS
from stilllife.judge import Judge
from stilllife.recipes.augment import augment
from stilllife.recipes.collection import Collection, to_input
from stilllife.recipes.training import Losses


def judge_loss(
    judge: Judge, collection: Collection, batch_size: int, generator: torch.Generator
) -> Losses:
    """Mean cross entropy over all attributes of a random batch."""
    rows = torch.randint(len(collection), (batch_size,), generator=generator)
    images = augment(to_input(collection.pixels[rows.numpy()]), generator)
    terms = []
    for name, logits in judge(images).items():
        wanted = torch.from_numpy(collection.labels[name][rows.numpy()])
        terms.append(F.cross_entropy(logits.float(), wanted, ignore_index=ABSENT))
    return {"attributes": torch.stack(terms).mean()}


@torch.inference_mode()
def judge_accuracy(judge: Judge, collection: Collection) -> dict[str, float]:
    """Share of attributes read right, by name, and of pictures with `all` of them right."""
    readings: list[dict[str, str]] = []
    for start in range(0, len(collection), 500):
        readings += judge.read(to_input(collection.pixels[start : start + 500]))
    truths = [collection.scene(index).attributes() for index in range(len(collection))]
    figures = {}
    for name in FIELDS:
        pairs = [
            (reading.get(name), truth[name])
            for reading, truth in zip(readings, truths, strict=True)
            if name in truth
        ]
        if pairs:
            figures[name] = sum(found == wanted for found, wanted in pairs) / len(pairs)
    same = sum(reading == truth for reading, truth in zip(readings, truths, strict=True))
    return figures | {"all": same / len(truths)}
