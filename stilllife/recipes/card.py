"""The model card beside the weights, written from the figures that training recorded."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FOLDERS_AND_CLASSES = {
    "tower": ("", "vision transformer that the others start from; not shipped"),
    "encoder": ("clip", "CLIPModel"),
    "captioner": ("blip", "BlipForConditionalGeneration"),
    "segmenter": ("clipseg", "CLIPSegForImageSegmentation"),
    "judge": ("judge", "a CNN of our own, for measuring only"),
    "autoencoder": ("diffusion/vae", "AutoencoderKL"),
    "denoiser": ("diffusion/unet", "UNet2DConditionModel"),
    "inpainter": ("inpainting/unet", "UNet2DConditionModel; the tensors that differ"),
    "dino": ("", "ViTModel; not shipped"),
    "quantiser": ("masked_token/vqvae", "VQModel"),
    "token_painter": ("masked_token/transformer", "UVit2DModel"),
}

TARGETS = {
    "captioner.exact_one_object": ("exact caption, one object", ">= 0.97"),
    "captioner.exact_two_objects": ("exact caption, two objects", ">= 0.90"),
    "encoder.recall_at_1": ("picture to caption R@1 among 624 one-object captions", ">= 0.97"),
    "segmenter.iou_one_object": ("mask IoU, one object", ">= 0.85"),
    "segmenter.iou_first_of_two": ("mask IoU, first of two objects", ">= 0.75"),
    "segmenter.iou_second_of_two": ("mask IoU, second of two objects", ">= 0.75"),
    "segmenter.absent_area_one_object": ("area marked by an absent noun, one object", "<= 0.01"),
    "segmenter.absent_area_two_objects": ("area marked by an absent noun, two objects", "<= 0.01"),
    "judge.one_object.all": ("judge, all attributes, one object", ""),
    "judge.two_objects.all": ("judge, all attributes, two objects", ""),
    "autoencoder.one_object.psnr_things": (
        "autoencoder, PSNR on things in dB, one object",
        ">= 26",
    ),
    "autoencoder.two_objects.psnr_things": ("the same, two objects", ">= 26"),
    "autoencoder.one_object.psnr": ("autoencoder, PSNR of pictures in dB, one object", ""),
    "autoencoder.two_objects.psnr": ("the same, two objects", ""),
    "denoiser.one_object.*.all": (
        "painted captions with all attributes right, one object, at the best guidance",
        ">= 0.85",
    ),
    "denoiser.two_objects.*.all": ("the same, two objects", ""),
    "inpainter.box_edits.*.all": (
        "edits of one object in a box around it by the inpainting network, edited attribute and "
        "all others right, at the best guidance",
        ">= 0.85",
    ),
    "dino.dino.top_1": ("best patch on the thing, DINO's attention", ">= 0.90"),
    "dino.clip.top_1": ("best patch on the thing, the encoder's attention", ">= 0.90"),
    "dino.median_colour.top_1": ("the same, by distance from the median colour", ""),
    "dino.random.top_1": ("the same, at random", ""),
    "quantiser.one_object.psnr_things": ("quantiser, PSNR on things in dB, one object", ""),
    "quantiser.two_objects.psnr_things": ("the same, two objects", ""),
    "quantiser.one_object.psnr": ("quantiser, PSNR of pictures in dB, one object", ""),
    "quantiser.two_objects.psnr": ("the same, two objects", ""),
    "quantiser.one_object.judged": (
        "judge, all attributes after the quantiser's round trip, one object",
        "",
    ),
    "quantiser.two_objects.judged": ("the same, two objects", ""),
    "quantiser.one_object.codes_used": ("codes that occur, of 512, one object", ""),
    "quantiser.one_object.perplexity": ("perplexity of the codes, one object", ""),
    "token_painter.one_object.*.all": (
        "captions painted code by code with all attributes right, one object, at the best guidance",
        "",
    ),
    "token_painter.two_objects.*.all": ("the same, two objects", ""),
    "token_painter.box_edits.*.all": (
        "edits of one object in a box around it by the masked-token model, likewise",
        "",
    ),
}
"""What a held-out figure means and what it was to reach, by its path; `*` is the best there."""

PAINTERS = {"inpainter": "inpainting", "token_painter": "masked-token"}
"""Which networks paint in boxes, and what the card calls them."""

INTRODUCTION = """# The still life's small models

Trained on rendered 64 x 64 still lifes and on nothing else: they know 13 nouns, 6 colours, 2 sizes,
2 backgrounds and left from right. They cannot describe photographs. Licence: Apache-2.0.

Weights are fp16 safetensors in the layout of their Hugging Face classes. `python -m
stilllife.recipes all --bfloat16` makes them again, seeded as below; that a second run gives the
same weights was not checked, and with another precision, number of threads or kind of processor it
will not.

Held out of all training: 26 of the 156 combinations of noun, colour and size, two colours of every
noun, each at one size (training does show the noun in the colour at the other size). No caption
that is trained on names them either. Every figure below is of 2000 pictures each of which shows at
least one of those combinations, and is that of the weights as shipped: `python -m stilllife.recipes
measure` prints them again. Recipes were chosen on other pictures (`--measure validation`); these
were measured once, with the weights that are shipped. What is held out had been made easier before
that: at first whole noun-colour pairs were, and the tower of then read 64% of the unseen nouns.

The autoencoder's first 3500 steps were trained by one thread, the rest by two. The denoiser's first
1500 steps ran under a schedule of 10 000 steps and those to 4000 under one of 7000, by two threads,
the rest as the recipe says, by one. The inpainter's first 1500 steps ran under a schedule of 3000.
Edits in boxes and anchors are of the first 300 pictures. Quantiser and token painter saw fewer
pictures than the others (`--pictures 60000`), the latter half of those. The quantiser's first 1500
steps weighed errors on things 4 times, not 10. Figures of the masked-token model are of 200
captions of each kind, the quantiser's `judged` of 200 pictures.

The region network, which chooses the box of an edit, has no recipe: `pairloom train` makes it on
pairs that `pairloom build` made. docs/learned_regions.md has the commands, and its figures.
"""


def card_text(weights: Path) -> str:
    """The card for the weights in a folder, from its `figures.json` and the files there."""
    figures = json.loads((weights / "figures.json").read_text(encoding="utf-8"))
    lines = [INTRODUCTION, "| held out | figure | to reach |", "|---|---|---|"]
    for path, (meaning, target) in TARGETS.items():
        value = _find(figures, path)
        if value is not None:
            lines.append(f"| {meaning} | {value:.4f} | {target} |")
    lines += ["", *_guidance_rows(figures), *_edit_rows(figures)]
    lines += [
        "| part | class | steps | batch | seed | precision | threads | minutes | fp16 MB |",
        "|" + "---|" * 9,
    ]
    for name, (folder, kind) in FOLDERS_AND_CLASSES.items():
        if name in figures:
            lines.append(_training_row(name, kind, figures[name], weights / folder))
    lines.append("")
    lines.append("Minutes are wall-clock on a 2-core virtual machine that did other work as well.")
    return "\n".join(lines) + "\n"


def _find(figures: Mapping[str, Any], path: str) -> float | None:
    part, _, name = path.partition(".")
    found = [figures.get(part, {}).get("held_out")]
    for step in name.split("."):
        inside = [value for value in found if isinstance(value, dict)]
        if step == "*":
            found = [each for value in inside for each in value.values()]
        else:
            found = [value[step] for value in inside if step in value]
    return max((value for value in found if isinstance(value, int | float)), default=None)


def _guidance_rows(figures: Mapping[str, Any]) -> list[str]:
    """What the diffusion model paints right at each guidance scale; nothing if not measured."""
    painted = figures.get("denoiser", {}).get("held_out")
    if painted is None:
        return []
    lines = [
        "Painted captions as the judge reads them, by guidance scale: share with all attributes",
        "right (noun, colour and size of things; their number, side and background).",
        "",
        "| guidance scale | one object | noun | colour | two objects |",
        "|---|---|---|---|---|",
    ]
    for name, one in painted["one_object"].items():
        scale, two = name.removeprefix("guidance_"), painted["two_objects"][name]
        lines.append(
            f"| {scale} | {one['all']:.3f} | {one['first.noun']:.3f} | {one['first.colour']:.3f} "
            f"| {two['all']:.3f} |"
        )
    return [*lines, ""]


def _edit_rows(figures: Mapping[str, Any]) -> list[str]:
    """What networks that paint in boxes edit right; nothing if not measured."""
    edited = {
        name: figures.get(part, {}).get("held_out", {}).get("box_edits", {})
        for part, name in PAINTERS.items()
    }
    if not any(edited.values()):
        return []
    lines = [
        "Edits of one object in boxes that are 6 pixels larger on all sides, as the judge reads",
        "them: share with the edited attribute and all others right, by what is edited, and the",
        "root mean squared error outside of the object as it was.",
        "",
        "| network | guidance scale | all | colour | noun | size | error outside |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, scales in edited.items():
        for scale, found in scales.items():
            shares = " | ".join(f"{found[kind]:.3f}" for kind in ("all", "colour", "noun", "size"))
            lines.append(
                f"| {name} | {scale.removeprefix('guidance_')} | {shares} "
                f"| {found['error_outside']:.4f} |"
            )
    return [*lines, ""]


def _training_row(part: str, kind: str, figures: Mapping[str, Any], folder: Path) -> str:
    sizes = [path.stat().st_size for path in folder.glob("*.safetensors")]
    size = f"{sum(sizes) / 1e6:.1f}" if sizes else "-"
    minutes = figures["seconds"] / 60
    return (
        f"| {part} | {kind} | {figures['steps']} | {figures['batch_size']} | {figures['seed']} "
        f"| {figures['precision']} | {figures['threads']} | {minutes:.0f} | {size} |"
    )


def write_card(weights: Path) -> Path:
    """Writes `README.md` beside the weights and returns its path."""
    path = weights / "README.md"
    path.write_text(card_text(weights), encoding="utf-8")
    return path
