"""`pairloom fetch` beside img2dataset, from one misbehaving server on this machine, in one run.

    python benchmarks/fetch_peer.py --peer .venv-interop/bin/python [--rounds N] [--shard-size N]
        [--at-once N] [--seed N] [--json]

Two thousand links to 133 hosts: pictures that come at once, slowly, in drips for 6 s and for 40,
after one redirect or eight, by a link that must not be spelt in another way, with status 203 or a
header of 20 kB, or at the second attempt; errors, pages in place of pictures, lost connections,
opt-outs; ten hosts that take connections and never answer, and three that answer half of their
links (`support.odd_server`). Both whole commands run by turns, each on its own defaults (ours: 30 s
a picture and 120 s one that goes on coming, 10 s of silence, 2 retries; img2dataset's: 10 s of
silence, no retry), but that both ask for `--at-once` pictures at a time and write tars, and
img2dataset neither decodes nor resizes, which is the least it can do. A picture counts as had if
its bytes are the server's. `make interop` makes the environment that `--peer` names.
"""

import argparse
import io
import os
import statistics
import subprocess
import tarfile
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image
from support.odd_server import PICTURE_KINDS, Mix, make_links, serve
from support.reporting import Target, add_report_flags, at_least, at_most, finish
from support.still_life_job import command, environment

from pipelines.terminal.console import print_table

MOST_S = 580.0
PICTURE_SIDE = 256


@dataclass(frozen=True)
class Fetched:
    """Seconds of one whole command, and the links by which it has the server's picture."""

    seconds: float
    links: frozenset[str]


def make_picture(seed: int) -> bytes:
    """A JPEG of about 20 kB."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (32, 32, 3), np.uint8)
    image = Image.fromarray(coarse).resize((PICTURE_SIDE, PICTURE_SIDE), Image.Resampling.BICUBIC)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=95)
    return buffer.getvalue()


def run_ours(links: Path, out: Path, *, picture: bytes, at_once: int, shard_size: int) -> Fetched:
    """`pairloom fetch` on its defaults but for the places."""
    words = command(
        *("fetch", links, "--out", out, "--in-flight", at_once, "--shard-size", shard_size),
        *("--allow-address", "127.0.0.0/8"),
    )
    return _run(words, out, picture, environment())


def run_peer(
    python: str, links: Path, out: Path, *, picture: bytes, at_once: int, shard_size: int
) -> Fetched:
    """`img2dataset` on its defaults but for the places, without decoding."""
    program = Path(python).with_name("img2dataset")
    words = [
        str(program),
        f"--url_list={links}",
        "--input_format=parquet",
        "--url_col=URL",
        "--caption_col=TEXT",
        "--output_format=webdataset",
        f"--output_folder={out}",
        "--disable_all_reencoding=True",
        f"--thread_count={at_once}",
        "--processes_count=1",
        f"--number_sample_per_shard={shard_size}",
    ]
    return _run(words, out, picture, {**os.environ, "NO_ALBUMENTATIONS_UPDATE": "1"})


def _run(words: list[str], out: Path, picture: bytes, environ: Mapping[str, str]) -> Fetched:
    began = time.perf_counter()
    done = subprocess.run(
        words, env=environ, capture_output=True, text=True, timeout=MOST_S, check=False
    )
    seconds = time.perf_counter() - began
    if done.returncode != 0:
        raise RuntimeError(f"{words[0]} ended with {done.returncode}: {done.stderr[-2000:]}")
    return Fetched(seconds, _read_had(out, picture))


def _read_had(out: Path, picture: bytes) -> frozenset[str]:
    """The links whose picture is there, byte for byte."""
    had = set()
    for path in sorted(out.glob("*.tar")):
        urls = dict(_read_urls(path.with_suffix(".parquet")))
        with tarfile.open(path) as tar:
            for member in tar:
                key, _, extension = member.name.partition(".")
                file = tar.extractfile(member)
                if extension in ("jpg", "jpeg") and file and file.read() == picture:
                    had.add(urls[key])
    return frozenset(had)


def _read_urls(path: Path) -> list[tuple[str, str]]:
    table = pq.read_table(path, columns=["key", "url"])
    return list(zip(table["key"].to_pylist(), table["url"].to_pylist(), strict=True))


def kind_of(link: str) -> str:
    """What the server does at a link."""
    return link.split("/")[3]


def main() -> None:
    """Runs both by turns and compares seconds and pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peer", required=True, metavar="PYTHON", help="of its environment")
    parser.add_argument("--rounds", type=int, default=2, help="of both (default 2)")
    parser.add_argument("--at-once", type=int, default=64, help="pictures (default 64)")
    parser.add_argument("--shard-size", type=int, default=10_000, help="links (default 10000)")
    add_report_flags(parser)
    arguments = parser.parse_args()
    picture, mix = make_picture(arguments.seed), Mix()
    same: dict[str, Any] = {
        "picture": picture,
        "at_once": arguments.at_once,
        "shard_size": arguments.shard_size,
    }
    ours: list[Fetched] = []
    theirs: list[Fetched] = []
    with tempfile.TemporaryDirectory(prefix="pairloom-benchmark-") as folder:
        for turn in range(arguments.rounds):
            work = Path(folder) / str(turn)
            for name, found in (("ours", ours), ("peer", theirs)):
                with serve(picture) as (port, silent_port):
                    links = make_links(mix, port=port, silent_port=silent_port, seed=arguments.seed)
                    path = work / name / "links.parquet"
                    path.parent.mkdir(parents=True)
                    pq.write_table(pa.table({"URL": links, "TEXT": links}), path)
                    out = work / name / "store"
                    found.append(
                        run_ours(path, out, **same)
                        if name == "ours"
                        else run_peer(arguments.peer, path, out, **same)
                    )
    figures = compare(ours, theirs)
    figures |= {"at_once": arguments.at_once, "shard_size": arguments.shard_size}
    figures |= {"links": sum(count for kind, count in vars(mix).items() if "hosts" not in kind)}
    kinds = sorted({*figures["ours"]["had"], *figures["peer"]["had"]})
    print_table(
        "Pictures had, by what the server does",
        [
            (kind, figures["ours"]["had"].get(kind, 0), figures["peer"]["had"].get(kind, 0))
            for kind in kinds
        ],
        columns=("", "pairloom fetch", "img2dataset"),
    )
    finish(arguments, figures=figures, targets=list_targets(figures))


def compare(ours: list[Fetched], theirs: list[Fetched]) -> dict[str, Any]:
    """Seconds, pictures by kind of link, and what only the peer has, over all rounds.

    Links are compared without their ports, which differ from round to round.
    """

    def paths(fetched: Fetched) -> set[str]:
        return {link.split("/", 3)[3] for link in fetched.links}

    return {
        name: {
            "seconds": [each.seconds for each in found],
            "had": dict(Counter(kind_of(link) for link in found[-1].links)),
        }
        for name, found in (("ours", ours), ("peer", theirs))
    } | {
        "lost": sum(len(paths(peer) - paths(our)) for our, peer in zip(ours, theirs, strict=True)),
        "ratio": statistics.median(each.seconds for each in theirs)
        / statistics.median(each.seconds for each in ours),
    }


def list_targets(figures: Mapping[str, Any]) -> list[Target]:
    """At least 1.2 times as fast, and nothing lost that img2dataset gets."""
    patient = sum(count for kind, count in vars(Mix()).items() if kind in PICTURE_KINDS)
    had = sum(figures["ours"]["had"].get(kind, 0) for kind in PICTURE_KINDS)
    return [
        Target(
            name="speed of fetch over img2dataset's", value=figures["ratio"], bound=at_least(1.2)
        ),
        Target(name="pictures that only img2dataset has", value=figures["lost"], bound=at_most(0)),
        Target(
            name="pictures not had that a patient client gets",
            value=patient - had,
            bound=at_most(0),
        ),
    ]


if __name__ == "__main__":
    main()
