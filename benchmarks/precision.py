"""What an encoder takes of a picture in each precision, and how far its embeddings move by it.

    python benchmarks/precision.py [--device cpu|cuda] [--dtypes NAME ...] [--pictures N]
                                   [--batch-size N] [--rounds N] [--seed N] [--json]

A CLIP of ViT-B/32's published size with random weights is loaded once for each precision, as a
preset's part is. In each round all of them embed the same pictures by turns, which are at the
network's size already. On the CPU processor seconds of one thread are counted, on a card seconds by
the clock. `moved` is the least cosine between a picture's embedding and that of float32, `apart`
the mean cosine between those of different pictures, for random weights know few differences.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import support.silent_libraries  # noqa: F401
from embed_peer import save_network
from PIL import Image
from support.devices import describe_device
from support.reporting import Target, add_report_flags, at_least, finish

from pipelines.terminal.console import print_table
from transforms.models.devices import CPU, DTYPES, GPUS
from transforms.models.loading import load_encoder
from transforms.models.spec import ModelSpec
from transforms.protocols import Encoder, Vectors

EXACT = "float32"
ON_CPU = (EXACT, "bfloat16")
"""What is measured without a card: the others are not computed there, but put together."""
SIDE = 224


def load(folder: Path, device: str, dtype: str, batch_size: int) -> Encoder:
    """The network in `folder`, `batch_size` pictures at once."""
    options = (
        ("batch_size", batch_size),
        ("device", device),
        ("dtype", dtype),
        ("gpu_batch_size", batch_size),
    )
    return load_encoder(ModelSpec(loader="clip", location=str(folder), options=options))


def draw_pictures(count: int, seed: int) -> list[Image.Image]:
    """So many soft patches of colour, of the network's size."""
    coarse = np.random.default_rng(seed).integers(0, 256, (count, 6, 6, 3), np.uint8)
    size = (SIDE, SIDE)
    return [Image.fromarray(each).resize(size, Image.Resampling.BICUBIC) for each in coarse]


def spent(
    encoder: Encoder, pictures: Sequence[Image.Image], *, by_clock: bool
) -> tuple[float, Vectors]:
    """Seconds of embedding all pictures, and their embeddings, one a row."""
    now = time.perf_counter if by_clock else time.process_time
    began = now()
    vectors = encoder.encode_images(pictures)
    return now() - began, vectors


def measure(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Milliseconds a picture by precision, and the cosines."""
    clip = save_network(folder, arguments.seed).parent / "clip"
    encoders = {
        dtype: load(clip, arguments.device, dtype, arguments.batch_size)
        for dtype in arguments.dtypes
    }
    pictures = draw_pictures(arguments.pictures, arguments.seed)
    by_clock = arguments.device != CPU
    rounds: list[dict[str, float]] = []
    vectors: dict[str, Vectors] = {}
    for encoder in encoders.values():
        encoder.encode_images(pictures[: arguments.batch_size])  # sets up what is set up once
    for _ in range(arguments.rounds):
        rounds.append({})
        for dtype, encoder in encoders.items():
            seconds, vectors[dtype] = spent(encoder, pictures, by_clock=by_clock)
            rounds[-1][dtype] = 1000 * seconds / len(pictures)
    exact = vectors[EXACT]
    others = exact @ exact.T
    return {
        "device": describe_device(arguments.device),
        "clock": "wall" if by_clock else "processor",
        "pictures": len(pictures),
        "batch_size": arguments.batch_size,
        "rounds": arguments.rounds,
        "ms_a_picture": {name: statistics.median(one[name] for one in rounds) for name in encoders},
        "faster": {
            name: statistics.median(one[EXACT] / one[name] for one in rounds)
            for name in encoders
            if name != EXACT
        },
        "moved": {
            name: float((found * exact).sum(axis=1).min())
            for name, found in vectors.items()
            if name != EXACT
        },
        "apart": float(others[~np.eye(len(others), dtype=bool)].mean()),
    }


def main() -> None:
    """Embeds in each precision by turns, prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", choices=(CPU, *GPUS), default=CPU, help="default cpu")
    parser.add_argument(
        "--dtypes", nargs="+", choices=DTYPES, help="beside float32 (default: bfloat16; or all)"
    )
    parser.add_argument("--pictures", type=int, default=64, help="default 64")
    parser.add_argument("--batch-size", type=int, default=16, help="at once (default 16)")
    parser.add_argument("--rounds", type=int, default=3, help="default 3")
    add_report_flags(parser)
    arguments = parser.parse_args()
    if min(arguments.pictures, arguments.batch_size) < 2 or arguments.rounds < 1:
        parser.error("--pictures and --batch-size must be at least 2, --rounds at least 1")
    usual = ON_CPU if arguments.device == CPU else DTYPES
    arguments.dtypes = tuple(dict.fromkeys((EXACT, *(arguments.dtypes or usual))))
    os.environ["OMP_NUM_THREADS"] = "1"
    with tempfile.TemporaryDirectory(prefix="pairloom-benchmark-") as folder:
        figures = measure(arguments, Path(folder))
    milliseconds = figures["ms_a_picture"]
    print_table(
        f"{figures['pictures']} pictures on {figures['device']}, {figures['batch_size']} at once, "
        f"median of {figures['rounds']} rounds",
        [
            (name, each, figures["faster"].get(name, 1.0), figures["moved"].get(name, 1.0))
            for name, each in milliseconds.items()
        ],
        columns=("", f"ms a picture ({figures['clock']})", "times as fast", "least cosine"),
    )
    finish(arguments, figures=figures, targets=list_targets(figures))


def list_targets(figures: Mapping[str, Any]) -> list[Target]:
    """That embeddings hardly move; how much faster a precision is depends on the processor."""
    return [
        target
        for name, cosine in figures["moved"].items()
        for target in (
            Target(
                name=f"least cosine of embeddings in {name} and float32",
                value=cosine,
                bound=at_least(0.99),
            ),
            Target(
                name=f"time of a picture, float32 / {name}",
                value=figures["faster"][name],
            ),
        )
    ]


if __name__ == "__main__":
    main()
