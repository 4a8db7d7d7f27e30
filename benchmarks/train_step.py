"""Seconds and memory of a step of iEdit's training, beside a plain diffusers training loop.

    python benchmarks/train_step.py [--rounds N] [--steps N] [--batch-size N] [--seed N] [--json]
    python benchmarks/train_step.py --full-size [--gradient-checkpointing] [--json]

Without --full-size: the still life's networks (of random weights where none are trained; time does
not depend on them), in rounds. Each round runs the same even number of steps of every way: a plain
loop, that is the text-to-image fine-tuning of the same weights of the same UNet; and our trainer
with one term of equation 12 more at a time. It also times alone what a term adds to a step: the
second picture's latent, the decoder, CLIP, the perceptual network, each forward and, where
gradients pass, backward. `explained` is the plain step and these pieces; what is left over is what
our loop costs.

With --full-size: Stable Diffusion v1.4, CLIP ViT-L/14 and VGG16 of random weights, saved as
published, loaded through a preset as `sd14` names them, two steps (one of each group of blocks) of
one pair at 384 pixels, in a process of its own, whose peak memory counts. Beside it stands what
weights, gradients and the optimiser's state take; the rest is activations and libraries.
"""

import argparse
import copy
import itertools
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import support.silent_libraries  # noqa: F401
import torch
import torch.nn.functional as F
from accelerate import Accelerator
from support.full_size_networks import build_open_clip, build_stable_diffusion, build_vgg16
from support.processes import call_apart, peak_mib

from editing.diffusion.model import LatentDiffusion, load_diffusion
from editing.editors.iedit.blocks import AlternatingBlocks
from editing.editors.iedit.losses import TermWeights, clip_distance, perceptual_loss
from editing.editors.iedit.objective import IEditObjective, PairBatch
from editing.features.clip import ClipSpace, PerceptualFeatures, load_clip_space, load_perceptual
from editing.training.trainer import StepReport, Trainer, TrainOptions, draw_step
from pipelines.terminal.console import print_json_line, print_table
from stilllife.recipes.autoencoder import build_autoencoder
from stilllife.recipes.denoiser import build_denoiser, build_scheduler
from transforms.models.folder import load_tokenizer
from transforms.models.spec import ModelSpec, locate

CLIP = ModelSpec(loader="clip", location="package:stilllife/weights/clip")
LAYER = ModelSpec(loader="clip_layer", location=CLIP.location)
WAYS = {
    "paired": TermWeights(loc=0, global_=0, mask=0, paired=1, perc=0),
    "mask": TermWeights(loc=0, global_=0, perc=0),
    "mask, global": TermWeights(loc=0, perc=0),
    "mask, global, loc": TermWeights(perc=0),
    "mask, global, loc, perc": TermWeights(),
}
PLAIN, WHOLE = "plain loop", "mask, global, loc, perc"
FULL_SIDE = 384
LEFT_OUT = 2
"""Steps before those that are timed."""


@dataclass(frozen=True, eq=False)
class Networks:
    """What a step of training computes with."""

    model: LatentDiffusion
    clip: ClipSpace
    perceptual: PerceptualFeatures


def small_networks(seed: int) -> Networks:
    """The still life's: autoencoder and UNet as their recipes build them, CLIP as it is shipped."""
    from transformers import CLIPTextModel

    torch.manual_seed(seed)
    folder = locate(CLIP)
    text_encoder = CLIPTextModel.from_pretrained(folder, dtype=torch.float32)
    model = LatentDiffusion(
        vae=build_autoencoder().eval().requires_grad_(requires_grad=False),
        unet=build_denoiser(text_encoder.config.hidden_size).eval(),
        text_encoder=text_encoder.eval().requires_grad_(requires_grad=False),
        tokenizer=load_tokenizer(folder),
        scheduler=build_scheduler(),
    )
    return Networks(model, load_clip_space(CLIP), load_perceptual(LAYER))


def draw_batch(size: int, side: int, *, seed: int) -> PairBatch:
    """Pairs of noise with the middle of the picture as mask: what is in a picture takes no time."""
    generator = torch.Generator().manual_seed(seed)
    shape = (size, 3, side, side)
    mask = torch.zeros(size, 1, side, side)
    mask[..., side // 4 : -side // 4, side // 4 : -side // 4] = 1
    return PairBatch(
        source=torch.rand(shape, generator=generator) * 2 - 1,
        target=torch.rand(shape, generator=generator) * 2 - 1,
        source_mask=mask,
        target_mask=mask,
        edit_prompts=("a large red apple on a plain background, on the left",) * size,
        target_phrases=("red apple",) * size,
        quality=torch.ones(size),
    )


def time_plain(networks: Networks, batch: PairBatch, options: TrainOptions) -> list[float]:
    """Seconds of each step of the usual loop: noise on one picture's latent, predicted.

    It trains what our trainer trains, in the same alternation, with the same optimiser.
    """
    model = networks.model
    blocks = AlternatingBlocks(model.unet)
    optimisers = [
        torch.optim.AdamW(blocks.parameters(number), lr=options.learning_rate)
        for number in range(len(blocks))
    ]
    accelerator = Accelerator(mixed_precision=options.precision)
    seconds = []
    for step in range(options.steps):
        began = time.perf_counter()
        trained, optimiser = blocks.begin(step), optimisers[blocks.number(step)]
        optimiser.zero_grad(set_to_none=True)
        with torch.no_grad():
            latent = model.encode(batch.source)
            text = model.embed_texts(batch.edit_prompts)
        draw = draw_step(options, step, shape=_four(latent.shape), train_steps=model.train_steps)
        noisy = model.scheduler.add_noise(latent, draw.noise, draw.timesteps)
        wanted = draw.noise
        if model.scheduler.config.prediction_type == "v_prediction":
            wanted = model.scheduler.get_velocity(latent, draw.noise, draw.timesteps)
        with accelerator.autocast():
            found = model.unet(noisy, draw.timesteps, encoder_hidden_states=text).sample
        accelerator.backward(F.mse_loss(found.float(), wanted))
        accelerator.clip_grad_norm_(trained, options.clip_norm)
        optimiser.step()
        seconds.append(time.perf_counter() - began)
    return seconds


def _four(shape: Sequence[int]) -> tuple[int, int, int, int]:
    batch, channels, height, width = shape
    return batch, channels, height, width


def time_ours(
    networks: Networks, batch: PairBatch, options: TrainOptions, weights: TermWeights
) -> list[float]:
    """Seconds of each step of the trainer with these weights of the terms."""
    objective = IEditObjective(
        model=networks.model,
        clip=networks.clip,
        perceptual=networks.perceptual,
        weights=weights,
    )
    ends = [time.perf_counter()]

    def note(_: StepReport) -> None:
        ends.append(time.perf_counter())

    with tempfile.TemporaryDirectory() as folder:
        accelerator = Accelerator(mixed_precision=options.precision)
        trainer = Trainer(objective, options, accelerator, folder=Path(folder), identity="")
        trainer.run(0, _same(batch), on_step=note, on_sample=lambda _: None)
    return [after - before for before, after in itertools.pairwise(ends)]


def _same(batch: PairBatch) -> Iterator[PairBatch]:
    while True:
        yield batch


def time_pieces(networks: Networks, batch: PairBatch, *, times: int) -> dict[str, float]:
    """Median seconds of what each term adds to a step, computed alone."""
    model, clip, perceptual = networks.model, networks.clip, networks.perceptual
    with torch.no_grad():
        latent = model.encode(batch.source)
        picture = model.decode(latent)
        text = clip.embed_texts(batch.edit_prompts)

    def encode_target() -> None:
        with torch.no_grad():
            model.encode(batch.target)

    def decode() -> None:
        start = latent.clone().requires_grad_()
        model.decode(start).sum().backward()

    def look_with_clip() -> None:
        start = picture.clone().requires_grad_()
        with torch.no_grad():
            clip.embed_texts(batch.edit_prompts)
        clip_distance(clip.embed_pictures(start), text).sum().backward()

    def compare() -> None:
        start = picture.clone().requires_grad_()
        with torch.no_grad():
            target = perceptual(batch.target)
        perceptual_loss(perceptual(start), target).sum().backward()

    pieces = {
        "encode target": encode_target,
        "decode": decode,
        "global": look_with_clip,
        "loc": look_with_clip,
        "perc": compare,
    }
    return {name: _median_time(piece, times) for name, piece in pieces.items()}


def _median_time(piece: Callable[[], None], times: int) -> float:
    seconds = []
    for _ in range(times + 1):
        began = time.perf_counter()
        piece()
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds[1:])


def mean_step(seconds: Sequence[float]) -> float:
    """Mean of the steps that count: as many of one group of blocks as of the other."""
    return statistics.fmean(seconds[LEFT_OUT:])


def run_rounds(arguments: argparse.Namespace) -> dict[str, Any]:
    """Medians over the rounds: seconds of a step of each way, and of the pieces."""
    torch.set_num_threads(1)
    networks = small_networks(arguments.seed)
    batch = draw_batch(arguments.batch_size, networks.model.picture_size, seed=arguments.seed)
    options = TrainOptions(
        steps=arguments.steps + LEFT_OUT,
        batch_size=arguments.batch_size,
        seed=arguments.seed,
        checkpoint_every=10**9,
        sample_every=10**9,
        gradients_every=10**9,
    )
    rounds: list[dict[str, float]] = []
    for number in range(arguments.rounds):
        found = {}
        for way in (PLAIN, *WAYS):
            fresh = replace(networks.model, unet=copy.deepcopy(networks.model.unet))
            own = replace(networks, model=fresh)
            seconds = (
                time_plain(own, batch, options)
                if way == PLAIN
                else time_ours(own, batch, options, WAYS[way])
            )
            found[way] = mean_step(seconds)
        pieces = time_pieces(networks, batch, times=arguments.steps)
        found |= {f"piece: {name}": value for name, value in pieces.items()}
        found["explained"] = found[PLAIN] + sum(pieces.values())
        found["ratio"] = found[WHOLE] / found["explained"]
        rounds.append(found)
        print(f"round {number}: {found['ratio']:.3f} of what the pieces explain", flush=True)
    return {name: statistics.median(each[name] for each in rounds) for name in rounds[0]}


def build_full_size(folder: Path) -> dict[str, dict[str, Any]]:
    """The three networks, saved in `folder` as published, as a preset names them."""
    builders = {
        "diffusion": ("stable_diffusion", build_stable_diffusion),
        "encoder": ("open_clip", build_open_clip),
        "perceptual": ("vgg16", build_vgg16),
    }
    parts = {}
    for part, (loader, build) in builders.items():
        (folder / part).mkdir()
        build(folder / part)
        parts[part] = {"loader": loader, "location": f"./{part}", "revision": None}
    return parts


def step_at_full_size(preset_file: str, options: TrainOptions, side: int) -> dict[str, Any]:
    """Seconds of two steps, peak memory, and what of it is known; in a process of its own."""
    from transforms.presets import load_preset

    torch.set_num_threads(1)
    preset = load_preset(preset_file)
    assert preset.diffusion is not None
    assert preset.perceptual is not None
    networks = Networks(
        model=load_diffusion(preset.diffusion),
        clip=load_clip_space(preset.encoder),
        perceptual=load_perceptual(preset.perceptual),
    )
    loaded = peak_mib() / 1024
    batch = draw_batch(options.batch_size, side, seed=options.seed)
    seconds = time_ours(networks, batch, options, TermWeights())
    unet = networks.model.unet
    blocks = AlternatingBlocks(unet)
    trained = [sum(map(torch.numel, blocks.parameters(number))) for number in range(len(blocks))]
    return {
        "side": side,
        "seconds": seconds,
        "peak_gib": peak_mib() / 1024,
        "loaded_gib": loaded,
        "parameters": {
            name: sum(map(torch.numel, network.parameters()))
            for name, network in networks.model.networks().items()
        },
        "trained": trained,
        # Only one group has gradients at a time; Adam keeps two numbers for each weight of both.
        "gradients_gib": 4 * max(trained) / 2**30,
        "optimiser_gib": 8 * sum(trained) / 2**30,
        "gradient_checkpointing": options.gradient_checkpointing,
    }


def run_full_size(arguments: argparse.Namespace) -> dict[str, Any]:
    """Builds, loads, takes two steps, deletes."""
    options = TrainOptions(
        steps=2,
        batch_size=arguments.batch_size,
        seed=arguments.seed,
        gradient_checkpointing=arguments.gradient_checkpointing,
        checkpoint_every=10**9,
        sample_every=10**9,
        gradients_every=10**9,
    )
    with tempfile.TemporaryDirectory(prefix="pairloom-train-step-") as name:
        folder = Path(name)
        parts = call_apart(build_full_size, folder)
        parts |= {part: _nowhere(part) for part in ("captioner", "segmenter")}
        preset = folder / "preset.yaml"
        preset.write_text(json.dumps(parts))  # JSON is YAML
        return call_apart(step_at_full_size, str(preset), options, FULL_SIDE)


def _nowhere(part: str) -> dict[str, Any]:
    loader = {"captioner": "blip", "segmenter": "clipseg"}[part]
    return {"loader": loader, "location": "/nowhere", "revision": None}


def main() -> None:
    """Reads the arguments, measures, prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=8, help="timed in each way, an even number")
    parser.add_argument("--batch-size", type=int, help="default 8, with --full-size 1")
    parser.add_argument("--full-size", action="store_true")
    parser.add_argument("--gradient-checkpointing", action="store_true", help="at full size")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    arguments = parser.parse_args()
    if arguments.rounds < 1 or arguments.steps < 2 or arguments.steps % 2:
        parser.error("--rounds must be at least 1, --steps even and at least 2")
    arguments.batch_size = arguments.batch_size or (1 if arguments.full_size else 8)
    found = run_full_size(arguments) if arguments.full_size else run_rounds(arguments)
    title = "a step at full size" if arguments.full_size else "seconds a step"
    print_table(title, [(name, _show(value)) for name, value in found.items()])
    if arguments.json:
        print_json_line(found | {"seed": arguments.seed, "batch_size": arguments.batch_size})


def _show(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main()
