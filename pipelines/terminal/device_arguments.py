"""The flags that say where a job's networks compute and how precisely: `--device`, `--dtype`."""

import argparse
from collections.abc import Iterable

from pipelines.terminal.arguments import whole_number
from pipelines.terminal.console import EXIT_USAGE, CommandError, print_note
from transforms.models.devices import AUTO, DTYPES, check_device, count_cards
from transforms.models.loading import gpu_of
from transforms.presets import Preset, choose_batch_size, load_preset, place_preset


def device_word(text: str) -> str:
    """A word for a device, for argparse.

    Raises:
        argparse.ArgumentTypeError: it is none.
    """
    try:
        return check_device(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def add_device_flags(parser: argparse.ArgumentParser) -> None:
    """`--device`, `--dtype` and `--batch-size`."""
    parser.add_argument(
        "--device",
        type=device_word,
        default=AUTO,
        help="where networks compute: cpu, mps, cuda, cuda:NUMBER, or auto, which is what the "
        "preset says, else cuda, mps or cpu, whichever is here first (default auto)",
    )
    parser.add_argument(
        "--dtype",
        choices=(AUTO, *DTYPES),
        default=AUTO,
        help="how precisely: auto is what the preset says, else float16 on a GPU and float32 on "
        "the CPU (default auto)",
    )
    parser.add_argument(
        "--batch-size",
        type=whole_number(1),
        default=None,
        help="pictures that pass the stages together (default: as many as leave no padding in the "
        "preset's networks, and 32 at least)",
    )


def read_placed_preset(arguments: argparse.Namespace) -> Preset:
    """The preset of `--preset`, placed as `--device` and `--dtype` say.

    Raises:
        PresetError: there is no such preset.
        CommandError: the device is no GPU that torch can use here, and the job runs here.
    """
    preset = place_preset(
        load_preset(arguments.preset), device=arguments.device, dtype=arguments.dtype
    )
    if arguments.runner is None:
        _refuse_absent_card(preset)
        _tell_idle_cards(preset, arguments.workers)
    return preset


def read_batch_size(arguments: argparse.Namespace, preset: Preset, parts: Iterable[str]) -> int:
    """The pictures of a batch: of `--batch-size`, or what suits the networks of `parts`."""
    return arguments.batch_size or choose_batch_size(preset, parts)


def _refuse_absent_card(preset: Preset) -> None:
    for name in preset.parts:
        device = gpu_of(preset.part(name))
        if device is not None and device.startswith("cuda"):
            number = int(device.partition(":")[2] or 0)
            if number >= (cards := count_cards()):
                raise CommandError(
                    f"--device {device}: torch sees {cards} cards here; choose cpu or auto",
                    exit_code=EXIT_USAGE,
                )


def _tell_idle_cards(preset: Preset, workers: int) -> None:
    if gpu_of(preset.encoder) == "cuda" and workers < (cards := count_cards()):
        print_note(f"{cards} cards are here, and {workers} of them are used: see --workers")
