"""Edits by the inpainting network: which are drawn, how they are painted, how many are right."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from diffusers import StableDiffusionInpaintPipeline

from stilllife.edits import changed_attributes, judge_edit
from stilllife.judge import Judge, load_judge
from stilllife.recipes.boxes import thing_boxes
from stilllife.recipes.collection import Collection, to_input
from stilllife.recipes.inpainter import BASE, FOLDER, load_inpainting
from stilllife.recipes.workshop import Workshop
from stilllife.scene import PICTURE_SIZE, Scene
from stilllife.truth import possible_edits

EDITED = 201
"""Held-out pictures that are edited at each guidance scale, a third in each kind of attribute."""

KINDS = ("colour", "noun", "size")
GUIDANCE_SCALES = (2.0, 3.0, 4.0)
SAMPLING_STEPS = 8

MARGIN = 6
"""Pixels by which the box that is painted is larger than the thing, on all sides."""


@dataclass(frozen=True)
class WantedEdit:
    """A picture's place in its collection, its truth, which attribute changes, and the prompt."""

    place: int
    scene: Scene
    kind: str
    prompt: str


def draw_edits(scenes: Collection, count: int, *, seed: int) -> list[WantedEdit]:
    """An edit of each of the first `count` pictures, of every kind in turn."""
    chooser = random.Random(seed)
    edits = []
    for place in range(count):
        scene, kind = scenes.scene(place), KINDS[place % len(KINDS)]
        prompts = [
            prompt
            for prompt in possible_edits(scene)
            if changed_attributes(scene, prompt).keys() == {f"first.{kind}"}
        ]
        edits.append(WantedEdit(place, scene, kind, chooser.choice(prompts)))
    return edits


@torch.inference_mode()
def paint_edits(
    pipeline: StableDiffusionInpaintPipeline,
    scenes: Collection,
    edits: Sequence[WantedEdit],
    *,
    guidance_scale: float,
    seed: int,
    batch_size: int = 50,
) -> torch.Tensor:
    """The edited pictures, (n, 3, 64, 64) in [-1, 1]; the source outside of the things' boxes."""
    generator = torch.Generator().manual_seed(seed)
    made = []
    for start in range(0, len(edits), batch_size):
        some = edits[start : start + batch_size]
        places = [edit.place for edit in some]
        pictures = to_input(scenes.pixels[places])
        masks = thing_boxes(torch.from_numpy(scenes.regions[places] == 1), margin=MARGIN)
        encoded = pipeline.vae.encode(pictures * (1 - masks)).latent_dist.mode()
        painted = pipeline(
            [edit.prompt for edit in some],
            image=(pictures + 1) / 2,
            mask_image=masks,
            # As trained on; the pipeline would draw them from the posterior.
            masked_image_latents=encoded * pipeline.vae.config.scaling_factor,
            height=PICTURE_SIZE,
            width=PICTURE_SIZE,
            strength=1.0,
            num_inference_steps=SAMPLING_STEPS,
            guidance_scale=guidance_scale,
            generator=generator,
            output_type="pt",
        ).images
        made.append(torch.where(masks > 0.5, painted * 2 - 1, pictures))
    return torch.cat(made)


def edits_right(
    judge: Judge, pictures: torch.Tensor, edits: Sequence[WantedEdit]
) -> dict[str, float]:
    """Share of edits of each kind, and `all`, with the edited attribute and all others right."""
    right: dict[str, list[bool]] = {}
    for reading, edit in zip(judge.read(pictures), edits, strict=True):
        verdict = judge_edit(reading, edit.scene, edit.prompt)
        for name in (edit.kind, "all"):
            right.setdefault(name, []).append(verdict.both)
    return {name: sum(found) / len(found) for name, found in right.items()}


def measure_inpainter(shop: Workshop) -> dict[str, object]:
    """Edits of one-thing pictures in boxes around the thing, by guidance scale."""
    pipeline = load_inpainting(shop.weights / BASE, shop.weights / FOLDER)
    scenes, judge = shop.held_out["one_object"], load_judge()
    edits = draw_edits(scenes, min(EDITED, len(scenes)), seed=1)
    figures: dict[str, object] = {}
    for scale in GUIDANCE_SCALES:
        pictures = paint_edits(pipeline, scenes, edits, guidance_scale=scale, seed=1)
        figures[f"guidance_{scale:g}"] = edits_right(judge, pictures, edits)
    return {"one_object": figures}
