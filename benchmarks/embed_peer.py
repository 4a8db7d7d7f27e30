"""`pairloom index` beside `clip-retrieval inference`: pictures a second, same network and cores.

    python benchmarks/embed_peer.py --peer .venv-interop/bin/python [--pictures N] [--rounds N]
        [--workers N] [--seed N] [--json]

A CLIP of ViT-B/32's published size with random weights, saved once, is loaded by both: here by its
folder, there as `hf_clip:FOLDER`. Both whole commands embed the same JPEGs by turns, in batches of
16 and float32, on all cores: ours in `--workers` processes of one thread, clip-retrieval by as many
preprocessing workers and its own choice of threads. Ours is run once more with `--dtype bfloat16`,
which clip-retrieval cannot do on a processor, and which pays where that has instructions for it.
Ours also writes structure maps and a search index, for captions it takes those beside the pictures.
Each is run on a few pictures as well, so that its start can be told from its pace: `pace` counts
pictures and seconds beyond those.
`make interop` makes the environment that `--peer` names.
"""

import argparse
import io
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from PIL import Image
from support.reporting import Target, add_report_flags, at_least, finish
from support.still_life_job import command, environment

from indexes.clip_retrieval import open_embeddings
from indexes.folder import open_index
from pipelines.terminal.console import print_table

BATCH_SIZE = 16
FEW = 32
DTYPES = {"ours": "float32", "half": "bfloat16"}
"""Our sides by the precision they are run in."""
SIDES = (320, 480)
MOST_S = 580.0
PRESET = """
captioner: {loader: blip, location: ./clip, revision: null}
encoder: {loader: clip, location: ./clip, revision: null}
segmenter: {loader: clipseg, location: ./clip, revision: null}
"""


@dataclass(frozen=True)
class Work:
    """What both sides get: a preset with its network, and folders of pictures by their number."""

    preset: Path
    pictures: dict[int, Path]


def save_network(folder: Path, seed: int) -> Path:
    """A CLIP of ViT-B/32's size in `folder`/clip and the preset that names it."""
    import torch
    from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPTokenizer

    clip = folder / "clip"
    torch.manual_seed(seed)
    CLIPModel(CLIPConfig()).save_pretrained(clip)
    CLIPImageProcessor().save_pretrained(clip)
    vocabulary = {"a": 0, "a</w>": 1, "<|startoftext|>": 2, "<|endoftext|>": 3}
    CLIPTokenizer(vocab=vocabulary, merges=[], model_max_length=77).save_pretrained(clip)
    path = folder / "vit_b_32.yaml"
    path.write_text(PRESET, encoding="utf-8")
    return path


def save_pictures(folder: Path, count: int, seed: int) -> Path:
    """So many JPEGs of photographs' size, each with a caption beside it."""
    rng = np.random.default_rng(seed)
    folder.mkdir()
    for number in range(count):
        coarse = rng.integers(0, 256, (24, 32, 3), np.uint8)
        size = tuple(int(side) for side in rng.integers(*SIDES, 2))
        image = Image.fromarray(coarse).resize((size[0], size[1]), Image.Resampling.BICUBIC)
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=90)
        (folder / f"{number:06d}.jpg").write_bytes(buffer.getvalue())
        (folder / f"{number:06d}.txt").write_text(f"picture number {number}", encoding="utf-8")
    return folder


def run_ours(work: Work, count: int, out: Path, workers: int, dtype: str) -> float:
    """Seconds of `pairloom index` in a precision."""
    words = command(
        *("index", work.pictures[count], "--out", out, "--preset", work.preset),
        *("--captions", "source", "--workers", workers, "--dtype", dtype),
    )
    seconds = _run(words, environment())
    found = len(open_index(out))
    if found != count:
        raise RuntimeError(f"the index must hold {count} pictures, got {found}")
    return seconds


def run_peer(python: str, work: Work, count: int, out: Path, workers: int) -> float:
    """Seconds of `clip-retrieval inference`."""
    words = [
        str(Path(python).with_name("clip-retrieval")),
        "inference",
        f"--input_dataset={work.pictures[count]}",
        f"--output_folder={out}",
        f"--clip_model=hf_clip:{work.preset.parent / 'clip'}",
        "--enable_text=False",
        "--use_jit=False",
        f"--batch_size={BATCH_SIZE}",
        f"--num_prepro_workers={workers}",
    ]
    threads = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    seconds = _run(words, threads | {"HF_HUB_OFFLINE": "1"})
    tables = (out / "metadata").glob("*.parquet")
    found = sum(pq.ParquetFile(path).metadata.num_rows for path in tables)
    if found != count:
        raise RuntimeError(f"clip-retrieval must have embedded {count} pictures, got {found}")
    return seconds


def _run(words: list[str], environ: Mapping[str, str]) -> float:
    began = time.perf_counter()
    done = subprocess.run(
        words, env=dict(environ), capture_output=True, text=True, timeout=MOST_S, check=False
    )
    seconds = time.perf_counter() - began
    if done.returncode != 0:
        raise RuntimeError(f"{words[0]} ended with {done.returncode}: {done.stderr[-2000:]}")
    return seconds


def least_cosine(ours: Path, theirs: Path) -> float:
    """The least cosine of both sides' embeddings of the same pictures: that both did the same."""
    index, stored = open_index(ours), open_embeddings(theirs)
    cosines = []
    for row in range(len(index)):
        place = stored.find([index.row(row).reference])
        vector = None if place is None else stored.embedding(place)
        if vector is None:
            raise RuntimeError(f"clip-retrieval has no embedding of {index.row(row).reference}")
        cosines.append(float(index.embedding(row) @ vector))
    return min(cosines)


def measure(work: Work, count: int, rounds: int, *, peer: str, workers: int) -> dict[str, Any]:
    """Seconds of each side for all pictures and for few, by turns."""
    seconds: dict[str, dict[str, list[float]]] = {
        side: {"all": [], "few": []} for side in (*DTYPES, "peer")
    }
    folder = work.preset.parent
    cosines = dict.fromkeys(DTYPES, 1.0)
    for turn in range(rounds):
        for name, size in (("few", FEW), ("all", count)):
            theirs = folder / f"embeddings-{name}-{turn}"
            seconds["peer"][name].append(run_peer(peer, work, size, theirs, workers))
            for side, dtype in DTYPES.items():
                ours = folder / f"index-{side}-{name}-{turn}"
                seconds[side][name].append(run_ours(work, size, ours, workers, dtype))
                cosines[side] = min(cosines[side], least_cosine(ours, theirs))
    medians = {
        side: {name: statistics.median(each) for name, each in runs.items()}
        for side, runs in seconds.items()
    }
    whole = {side: count / runs["all"] for side, runs in medians.items()}
    pace = {side: (count - FEW) / (runs["all"] - runs["few"]) for side, runs in medians.items()}
    return {
        "seconds": seconds,
        "pictures_a_second": whole,
        "pace": pace,
        "ratio": whole["ours"] / whole["peer"],
        "pace_ratio": pace["ours"] / pace["peer"],
        "least_cosine": cosines["ours"],
        "half": {
            "ratio": whole["half"] / whole["peer"],
            "pace_ratio": pace["half"] / pace["peer"],
            "least_cosine": cosines["half"],
        },
    }


def main() -> None:
    """Runs both by turns and compares their pace."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peer", required=True, metavar="PYTHON", help="of its environment")
    parser.add_argument("--pictures", type=int, default=1000, help="default 1000")
    parser.add_argument("--rounds", type=int, default=1, help="of both (default 1)")
    parser.add_argument("--workers", type=int, default=2, help="processes (default 2)")
    add_report_flags(parser)
    arguments = parser.parse_args()
    if arguments.pictures <= FEW:
        parser.error(f"--pictures must be more than {FEW}, got {arguments.pictures}")
    with tempfile.TemporaryDirectory(prefix="pairloom-benchmark-") as folder:
        root = Path(folder)
        work = Work(
            save_network(root, arguments.seed),
            {
                count: save_pictures(root / f"pictures-{count}", count, arguments.seed)
                for count in (FEW, arguments.pictures)
            },
        )
        figures = measure(
            work,
            arguments.pictures,
            arguments.rounds,
            peer=arguments.peer,
            workers=arguments.workers,
        )
    figures |= {"pictures": arguments.pictures, "workers": arguments.workers}
    print_table(
        "Pictures a second",
        [
            (name, figures[key]["ours"], figures[key]["half"], figures[key]["peer"])
            for name, key in (("whole command", "pictures_a_second"), ("without the start", "pace"))
        ],
        columns=("", "pairloom index", "in bfloat16", "clip-retrieval inference"),
    )
    finish(arguments, figures=figures, targets=list_targets(figures))


def list_targets(figures: Mapping[str, Any]) -> list[Target]:
    """At least 1.5 times as many pictures a second, with the same embeddings."""
    return [
        Target(
            name="pictures a second over clip-retrieval's, whole command",
            value=figures["ratio"],
            bound=at_least(1.5, kind="aim"),
        ),
        Target(name="the same without the start", value=figures["pace_ratio"]),
        Target(
            name="the whole command in bfloat16",
            value=figures["half"]["ratio"],
            bound=at_least(1.5, kind="aim"),
        ),
        Target(name="in bfloat16 without the start", value=figures["half"]["pace_ratio"]),
        Target(
            name="least cosine of both sides' embeddings",
            value=figures["least_cosine"],
            bound=at_least(0.999),
        ),
        Target(
            name="least cosine in bfloat16",
            value=figures["half"]["least_cosine"],
            bound=at_least(0.999, kind="aim"),
        ),
    ]


if __name__ == "__main__":
    main()
