"""Seconds of training steps: of a plain loop, of the trainer, and of what each term adds."""

import itertools
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
import torch.nn.functional as F
from accelerate import Accelerator

from editing.editors.iedit.losses import clip_distance, perceptual_loss
from editing.editors.iedit.objective import IEditObjective
from editing.editors.iedit.training_settings import IEditTraining
from editing.training.loop_settings import LoopSettings
from editing.training.objective import PairBatch
from editing.training.trainer import StepReport, Trainer, begin_step, step_generator
from support.devices import wait_for
from support.training_networks import Networks


def time_plain(networks: Networks, batch: PairBatch, options: LoopSettings) -> list[float]:
    """Seconds of each step of the usual loop: noise on one picture's latent, predicted.

    It trains what our trainer trains, in the same alternation, with the same optimiser.
    """
    model = networks.model
    objective = build_objective(networks, IEditTraining())
    optimisers = [
        torch.optim.AdamW(group.values(), lr=options.learning_rate) for group in objective.groups
    ]
    count, _, height, width = batch.source.shape
    accelerator = Accelerator(mixed_precision=options.precision)
    seconds = []
    for step in range(options.steps):
        began = time.perf_counter()
        trained, optimiser = begin_step(objective, step), optimisers[objective.group_of(step)]
        optimiser.zero_grad(set_to_none=True)
        with torch.no_grad():
            latent = model.encode(batch.source)
            text = model.embed_texts(batch.edit_prompts)
        generator = step_generator(options.seed, step)
        draw = objective.draw(generator, count=count, height=height, width=width)
        noisy = model.scheduler.add_noise(latent, draw.noise, draw.timesteps)
        wanted = draw.noise
        if model.scheduler.config.prediction_type == "v_prediction":
            wanted = model.scheduler.get_velocity(latent, draw.noise, draw.timesteps)
        with accelerator.autocast():
            found = model.unet(noisy, draw.timesteps, encoder_hidden_states=text).sample
        accelerator.backward(F.mse_loss(found.float(), wanted))
        accelerator.clip_grad_norm_(trained, options.clip_norm)
        optimiser.step()
        wait_for(accelerator.device)
        seconds.append(time.perf_counter() - began)
    return seconds


def build_objective(networks: Networks, settings: IEditTraining) -> IEditObjective:
    """The loss of iEdit over these networks."""
    return IEditObjective(networks.model, networks.clip, networks.perceptual, settings)


def time_ours(
    networks: Networks, batch: PairBatch, options: LoopSettings, settings: IEditTraining
) -> list[float]:
    """Seconds of each step of the trainer with these settings of the loss."""
    objective = build_objective(networks, settings)
    ends = [time.perf_counter()]

    def note(_: StepReport) -> None:
        wait_for(networks.model.device)
        ends.append(time.perf_counter())

    with tempfile.TemporaryDirectory() as folder:
        accelerator = Accelerator(mixed_precision=options.precision)
        trainer = Trainer(objective, options, accelerator, folder=Path(folder), identities=("",))
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
    return {name: _median_time(piece, times, model.device) for name, piece in pieces.items()}


def _median_time(piece: Callable[[], None], times: int, device: torch.device) -> float:
    seconds = []
    for _ in range(times + 1):
        began = time.perf_counter()
        piece()
        wait_for(device)
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds[1:])
