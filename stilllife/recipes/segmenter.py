"""The segmenter: CLIPSegForImageSegmentation, starting from the encoder."""

import random
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from transformers import CLIPModel, CLIPSegConfig, CLIPSegForImageSegmentation

from stilllife.recipes.augment import augment, turn_hues
from stilllife.recipes.collection import Collection, to_input
from stilllife.recipes.encoder import CaptionPool, without_colours
from stilllife.recipes.training import Losses
from stilllife.scene import Scene, Thing
from stilllife.words import BACKGROUNDS, COLOURS, NOUNS

ABSENT_SHARE = 0.3
BACKGROUND_SHARE = 0.12
TURNED_SHARE = 0.4
"""Share of training pictures whose hues no word names; their phrases say nothing of colour."""


def build_segmenter(encoder: CLIPModel) -> CLIPSegForImageSegmentation:
    """A CLIPSeg around the encoder's two towers, with a new decoder."""
    config = CLIPSegConfig(
        text_config=encoder.config.text_config.to_dict(),
        vision_config=encoder.config.vision_config.to_dict(),
        projection_dim=encoder.config.projection_dim,
        extract_layers=[1, 3, 5],
        reduce_dim=96,
        decoder_num_attention_heads=4,
        decoder_intermediate_size=256,
        decoder_attention_dropout=0.0,
        attn_implementation="eager",
    )
    segmenter = CLIPSegForImageSegmentation(config)
    segmenter.clip.load_state_dict(encoder.state_dict())
    return segmenter


@dataclass(frozen=True)
class Phrase:
    """A phrase and the region it names: 0 background, 1 and 2 the things, None nothing."""

    text: str
    region: int | None


def phrases_of(thing: Thing) -> list[str]:
    """The ways in which a caption's noun phrase or a part of it names the thing."""
    return [
        thing.noun,
        thing.noun,
        f"{thing.colour} {thing.noun}",
        f"{thing.colour} {thing.noun}",
        f"{thing.size} {thing.noun}",
        thing.words,
    ]


def absent_nouns(scene: Scene) -> list[str]:
    """The nouns that are not in the scene."""
    present = {thing.noun for thing in scene.things}
    return [noun for noun in NOUNS if noun not in present]


def draw_phrase(scene: Scene, chooser: random.Random) -> Phrase:
    """A phrase for the scene: a thing of it, its background, or something that is not there."""
    kind = chooser.random()
    if kind < BACKGROUND_SHARE:
        return _background_phrase(scene, chooser)
    if kind < BACKGROUND_SHARE + ABSENT_SHARE:
        return Phrase(_absent_phrase(scene, chooser), None)
    region = chooser.randrange(len(scene.things))
    return Phrase(chooser.choice(phrases_of(scene.things[region])), region + 1)


def _background_phrase(scene: Scene, chooser: random.Random) -> Phrase:
    name = chooser.choice(["", *BACKGROUNDS, scene.background])
    right = name in ("", scene.background)
    return Phrase(f"{name} background".strip(), 0 if right else None)


def _absent_phrase(scene: Scene, chooser: random.Random) -> str:
    noun = chooser.choice(absent_nouns(scene))
    colours = {thing.colour for thing in scene.things} if chooser.random() < 0.5 else set(COLOURS)
    return chooser.choice([noun, f"{chooser.choice(sorted(colours))} {noun}"])


def segment_loss(
    segmenter: CLIPSegForImageSegmentation,
    collection: Collection,
    pool: CaptionPool,
    batch_size: int,
    generator: torch.Generator,
) -> Losses:
    """Pixel-wise cross entropy and Dice loss on a random batch of pictures and phrases."""
    rows = torch.randint(len(collection), (batch_size,), generator=generator)
    chooser = random.Random(int(torch.randint(2**31, (1,), generator=generator)))
    phrases = [draw_phrase(collection.scene(row), chooser) for row in rows.tolist()]
    regions = torch.from_numpy(collection.regions[rows.numpy()])
    wanted = torch.stack(
        [
            (region == phrase.region) if phrase.region is not None else torch.zeros_like(region)
            for region, phrase in zip(regions, phrases, strict=True)
        ]
    ).float()
    images = augment(to_input(collection.pixels[rows.numpy()]), generator)
    images, turned = turn_hues(images, collection.colours(rows), TURNED_SHARE, generator)
    ids, mask = pool.tokens(
        [
            without_colours(phrase.text) if unnamed else phrase.text
            for phrase, unnamed in zip(phrases, turned.tolist(), strict=True)
        ]
    )
    logits = segmenter(pixel_values=images, input_ids=ids, attention_mask=mask).logits.float()
    present = wanted.flatten(1).any(1)
    found = torch.sigmoid(logits)
    overlap = (found * wanted).flatten(1).sum(1)
    dice = 1 - (2 * overlap + 1) / (found.flatten(1).sum(1) + wanted.flatten(1).sum(1) + 1)
    return {
        "pixels": 4 * F.binary_cross_entropy_with_logits(logits, wanted),
        "dice": (dice * present).sum() / present.sum().clamp(min=1),
    }


@torch.inference_mode()
def marked(
    segmenter: CLIPSegForImageSegmentation,
    pool: CaptionPool,
    collection: Collection,
    phrases: list[str],
) -> torch.Tensor:
    """Boolean masks (n, 64, 64): what `phrases[i]` marks in picture i."""
    parts = []
    for start in range(0, len(collection), 250):
        stop = start + 250
        ids, mask = pool.tokens(phrases[start:stop])
        logits = segmenter(
            pixel_values=to_input(collection.pixels[start:stop]),
            input_ids=ids,
            attention_mask=mask,
        ).logits
        parts.append(logits.reshape(-1, *collection.regions.shape[1:]) > 0)
    return torch.cat(parts)


def mean_iou(
    segmenter: CLIPSegForImageSegmentation,
    pool: CaptionPool,
    collection: Collection,
    *,
    thing: int,
    seed: int,
) -> float:
    """Mean intersection over union for one phrase of the thing 0 or 1 of every picture."""
    chooser = random.Random(seed)
    scenes = [collection.scene(index) for index in range(len(collection))]
    phrases = [chooser.choice(phrases_of(scene.things[thing])) for scene in scenes]
    found = marked(segmenter, pool, collection, phrases)
    wanted = torch.from_numpy(collection.regions) == thing + 1
    both = (found & wanted).flatten(1).sum(1)
    either = (found | wanted).flatten(1).sum(1)
    return (both / either.clamp(min=1)).float().mean().item()


def absent_area(
    segmenter: CLIPSegForImageSegmentation,
    pool: CaptionPool,
    collection: Collection,
    *,
    seed: int,
) -> float:
    """Mean share of the picture that an absent noun marks."""
    chooser = random.Random(seed)
    scenes = [collection.scene(index) for index in range(len(collection))]
    phrases = [chooser.choice(absent_nouns(scene)) for scene in scenes]
    return marked(segmenter, pool, collection, phrases).float().mean().item()
