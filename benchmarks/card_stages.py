"""Pictures a second of the pipeline's networks on a card, beside what the card could compute.

    python benchmarks/card_stages.py [--device cuda] [--pictures N] [--parts NAME ...]
                                     [--dtype float16] [--rows N] [--rounds N] [--seed N] [--json]

The networks have the published sizes and random weights, as in `full_size.py`, and see as many rows
at once as the preset `sd14` says for a card. For each step two times are taken: of the stage as a
job runs it, from JPEGs that threads decode while the network works, and of the network alone over
pictures at its size. Beside them stands the roofline: the operations that torch counts in the step,
at the pace of a large matrix product in the same precision, measured first. A text is that of a
caption; a mask is one phrase in one picture. Random weights see noise, which takes 7 times as long
to write as the mask of a thing: when the network has worked, a disc is taken for what it saw.
"""

import argparse
import dataclasses
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import support.silent_libraries  # noqa: F401
from full_size import PARTS, build, pairs, photographs, write_preset
from support.devices import describe_device, wait_for
from support.processes import call_apart
from support.reporting import Target, add_report_flags, at_least, finish

from pipelines.terminal.console import print_table
from transforms.models.devices import DTYPES, GPUS
from transforms.record import Batch, SourceImage

DRAWN = 64
"""So many different pictures are drawn; more are these again."""
WORDS = "a dog on a beach"
PHRASE = "dog"
Step = tuple[str, Callable[[], Any], int]
"""What a step is called, the step, and of how many pictures, texts or masks it is."""


def build_there(part: str, folder: Path, device: str) -> None:
    """Saves the network of `part` in `folder`, its weights drawn on `device`, which is quick."""
    import torch

    torch.set_default_device(device)
    build(part, folder)


def repeated(count: int, seed: int) -> Batch[SourceImage]:
    """`count` photograph-like pictures, the first `DRAWN` of them different."""
    drawn = photographs(min(count, DRAWN), seed=seed).records
    records = [
        dataclasses.replace(
            drawn[number % len(drawn)], key=f"{number:09}", reference=str(number), position=number
        )
        for number in range(count)
    ]
    return Batch(shard="0", number=0, records=tuple(records))


def captioner_steps(model: Any, batch: Batch[SourceImage], fitted: Sequence[Any]) -> list[Step]:
    """Captions of the pictures."""
    from transforms.caption import caption_batch

    count = len(batch.records)
    return [
        ("caption", lambda: caption_batch(batch, model), count),
        ("caption: network", lambda: model.caption(fitted), count),
    ]


def encoder_steps(model: Any, batch: Batch[SourceImage], fitted: Sequence[Any]) -> list[Step]:
    """Embeddings of the pictures, and of as many texts."""
    from transforms.embed import embed_images_batch

    count = len(batch.records)
    return [
        ("embed", lambda: embed_images_batch(batch, model), count),
        ("embed: network", lambda: model.encode_images(fitted), count),
        ("embed text: network", lambda: model.encode_texts([WORDS] * count), count),
    ]


@dataclass(frozen=True, eq=False)
class _SeesADisc:
    """A segmenter whose network works, and whose relevance is a disc in the middle all the same."""

    model: Any

    @property
    def rows(self) -> int:
        """As the segmenter has it."""
        return int(self.model.rows)

    def fit(self, image: Any) -> Any:
        """As the segmenter does it."""
        return self.model.fit(image)

    def relevance(self, images: Sequence[Any], phrases: Sequence[str]) -> Any:
        """As many discs as there are phrases, of the size of the segmenter's maps."""
        found = self.model.relevance(images, phrases)
        height, width = found.shape[1:]
        down, across = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
        found[:] = np.exp(-2 * (down**2 + across**2))
        return found


def segmenter_steps(model: Any, batch: Batch[SourceImage], fitted: Sequence[Any]) -> list[Step]:
    """Two masks of each pair of pictures."""
    from transforms.segment import segment_batch

    data = {source.reference: source.image or b"" for source in batch.records}
    examples, count = pairs(batch), len(batch.records)
    return [
        (
            "segment",
            lambda: segment_batch(examples, _SeesADisc(model), data.__getitem__),
            2 * count,
        ),
        ("segment: network", lambda: model.relevance(fitted, [PHRASE] * count), count),
    ]


STEPS = {"captioner": captioner_steps, "encoder": encoder_steps, "segmenter": segmenter_steps}


def product_tflops(device: str, dtype: str, side: int) -> float:
    """Teraflop a second of a product of random matrices `side` wide, the best of five of ten."""
    import torch

    shape = (side, side)
    one, other = (torch.randn(shape, device=device, dtype=getattr(torch, dtype)) for _ in range(2))
    best = 0.0
    for _ in range(6):  # the first sets up
        wait_for(device)
        began = time.perf_counter()
        for _ in range(10):
            one @ other
        wait_for(device)
        best = max(best, 10 * 2 * side**3 / (time.perf_counter() - began))
    return best / 1e12


def measure_part(part: str, preset: Path, arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """The steps of one network; to be called in a process of its own."""
    from torch.utils.flop_counter import FlopCounterMode

    from transforms.batches.inference import use_one_thread
    from transforms.models import loading
    from transforms.pictures.decoding import decode_kept
    from transforms.presets import load_preset

    use_one_thread()
    role, device = PARTS[part], arguments.device
    model = getattr(loading, f"load_{role}")(getattr(load_preset(str(preset)), role))
    batch = repeated(arguments.pictures, arguments.seed)
    first = Batch(shard="0", number=0, records=batch.records[: model.rows])
    drawn = [model.fit(decode_kept(one.image or b"")) for one in batch.records[:DRAWN]]
    fitted = [drawn[number % len(drawn)] for number in range(arguments.pictures)]
    peak = product_tflops(device, arguments.dtype, arguments.side)
    found = []
    few = {name: (call, of) for name, call, of in STEPS[role](model, first, fitted[: model.rows])}
    for name, call, of in STEPS[role](model, batch, fitted):
        warm_up, of_few = few[name]
        with FlopCounterMode(display=False) as counter:
            warm_up()
        seconds = []
        for _ in range(arguments.rounds):
            wait_for(device)
            began = time.perf_counter()
            call()
            wait_for(device)
            seconds.append(time.perf_counter() - began)
        each = statistics.median(seconds) / of
        gflop = counter.get_total_flops() / of_few / 1e9
        found.append(
            {
                "part": part,
                "step": name,
                "count": of,
                "rows": model.rows,
                "a_second": 1 / each,
                "gflop": gflop,
                "roofline_a_second": 1000 * peak / gflop,
                "share_of_roofline": gflop / each / 1000 / peak,
                "product_tflops": peak,
            }
        )
        print(f"  {part}, {name}: {1 / each:.0f} a second", flush=True)
    return found


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Builds, measures and deletes one network after another."""
    steps: list[dict[str, Any]] = []
    options = {"device": arguments.device, "dtype": arguments.dtype}
    if arguments.rows is not None:
        options |= {"batch_size": arguments.rows, "gpu_batch_size": arguments.rows}
    with tempfile.TemporaryDirectory(prefix="pairloom-card-") as name:
        for part in arguments.parts:
            folder, preset = Path(name) / part, Path(name) / f"{part}.yaml"
            call_apart(build_there, part, folder, arguments.device)
            write_preset(preset, part, folder, options)
            steps += call_apart(measure_part, part, preset, arguments)
            shutil.rmtree(folder)
    return {
        "device": describe_device(arguments.device),
        "dtype": arguments.dtype,
        "pictures": arguments.pictures,
        "rounds": arguments.rounds,
        "steps": steps,
    }


def list_targets(figures: Mapping[str, Any]) -> list[Target]:
    """That decoding does not hold a card back, and each step's pace, which is shown."""
    paces = {(one["part"], one["step"]): one["a_second"] for one in figures["steps"]}
    targets = []
    for (part, step), pace in paces.items():
        alone = paces.get((part, f"{step}: network"))
        if alone is not None:
            targets.append(
                Target(
                    name=f"{part}, {step}: pace of the stage / of the network alone",
                    value=pace / alone,
                    bound=at_least(0.9, kind="aim"),
                )
            )
        targets.append(Target(name=f"{part}, {step}: a second", value=pace))
    return targets


def main() -> None:
    """Measures and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default=GPUS[0], help="torch device (default cuda)")
    parser.add_argument("--dtype", choices=DTYPES, default="float16", help="default float16")
    parser.add_argument("--pictures", type=int, default=2048, help="default 2048")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--rows", type=int, help="seen at once (default: what the preset says)")
    parser.add_argument("--rounds", type=int, default=3, help="default 3")
    parser.add_argument(
        "--side", type=int, default=8192, help="of the matrices whose product is timed (8192)"
    )
    add_report_flags(parser, seed_help="draws the pictures (default 0)")
    arguments = parser.parse_args()
    if min(arguments.pictures, arguments.rounds, arguments.side, arguments.rows or 1) < 1:
        parser.error("--pictures, --rounds, --side and --rows must be at least 1")
    figures = measure(arguments)
    print_table(
        f"{figures['device']}, {figures['dtype']}, {figures['pictures']} pictures",
        [
            (
                one["part"],
                one["step"],
                one["rows"],
                one["a_second"],
                one["gflop"],
                one["roofline_a_second"],
                f"{one['share_of_roofline']:.0%}",
            )
            for one in figures["steps"]
        ],
        columns=("network", "step", "rows", "a second", "GFLOP", "roofline a second", "share"),
    )
    finish(arguments, figures=figures, targets=list_targets(figures))


if __name__ == "__main__":
    main()
