"""The runs whose results are kept: which benchmark, with which flags, and into which file."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from support.results import FOLDER, ResultError

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """One run of a benchmark; a `short` one takes a minute or two.

    Where `seed` is None the benchmark runs with its usual one, and its result's name has none.
    """

    benchmark: str
    seed: int | None = None
    flags: tuple[str, ...] = ()
    short: bool = False

    @property
    def file_name(self) -> str:
        """What its result is called."""
        return f"{self.benchmark}{'' if self.seed is None else f'-seed{self.seed}'}.json"

    @property
    def command(self) -> list[str]:
        """The command line, by this Python, from the root of the project."""
        seed = () if self.seed is None else ("--seed", str(self.seed))
        script = f"benchmarks/{self.benchmark}.py"
        return [sys.executable, script, *self.flags, *seed, "--json"]


SEEDS = (0, 1, 2)
PEER = ("--peer", ".venv-interop/bin/python")
"""`make interop` makes it."""
TRAINED_BACKENDS = ("--backends", "inpaint", "masked-token")
LAYOUT_ROWS = (
    "--rows",
    "measured (default)",
    "no guidance",
    "paint-with-words, w = 1",
    "thesis",
    "thesis + paint-with-words, w = 0.3",
)
FLEXIT_ROWS = (
    "--rows",
    "retrieve",
    "flexit, thesis, dot product",
    "flexit, thesis, codes",
    "flexit, no region",
    "flexit, thesis in a region",
    "flexit, no captioner",
    "flexit, no prior",
    "flexit, neither",
    "flexit, prior alone",
)
FEW_HEADS = (
    *("--encoders", "as it is", "noise, texts in a narrow cone"),
    *("--temperatures", "0.01", "0.1"),
)
"""The whole sweep takes long, and is kept of one seed."""
MEASUREMENTS = (
    *(Measurement(benchmark="pair_quality", seed=seed) for seed in SEEDS),
    Measurement(benchmark="host_work"),
    Measurement(benchmark="growth", flags=("--workers", "1")),
    *(Measurement(benchmark="memory", seed=seed) for seed in SEEDS),
    Measurement(benchmark="identical_bytes", flags=("--pool", "100", "--sources", "100", "--told")),
    Measurement(benchmark="fetch_hostile"),
    Measurement(benchmark="fetch_peer", flags=PEER),
    Measurement(benchmark="embed_peer", flags=PEER),
    Measurement(benchmark="editor_table"),
    *(Measurement(benchmark="region_table", flags=TRAINED_BACKENDS, seed=seed) for seed in SEEDS),
    Measurement(benchmark="rewrite_sentences", short=True),
    Measurement(benchmark="real_captions", short=True),
    Measurement(benchmark="mined_captions", short=True),
    Measurement(benchmark="edit_instructions", short=True),
    Measurement(benchmark="judge_coverage"),
    Measurement(benchmark="index_recall", short=True),
    Measurement(benchmark="index_scale", flags=PEER),
    Measurement(benchmark="structure_position", short=True),
    *(Measurement(benchmark="near_duplicates", seed=seed) for seed in SEEDS),
    Measurement(benchmark="candidate_scoring", short=True),
    Measurement(benchmark="precision", short=True),
    Measurement(benchmark="full_size", flags=("--pictures", "4")),
    *(Measurement(benchmark="diffedit_table", seed=seed) for seed in SEEDS),
    *(Measurement(benchmark="zestguide_table", flags=LAYOUT_ROWS, seed=seed) for seed in SEEDS),
    *(Measurement(benchmark="flexit_table", flags=FLEXIT_ROWS, seed=seed) for seed in SEEDS),
    Measurement(benchmark="simat_table", flags=("--chart", "docs/images/simat.png"), seed=0),
    *(Measurement(benchmark="simat_table", flags=FEW_HEADS, seed=seed) for seed in SEEDS[1:]),
)


def choose(names: Sequence[str]) -> list[Measurement]:
    """The measurements of the named benchmarks; the short ones where none is named.

    Raises:
        ResultError: a name has no measurement.
    """
    known = list(dict.fromkeys(each.benchmark for each in MEASUREMENTS))
    for name in names:
        if name not in known:
            raise ResultError(f"benchmark must be one of {', '.join(known)}, got {name}")
    return [each for each in MEASUREMENTS if (each.benchmark in names if names else each.short)]


def measure(measurement: Measurement, folder: Path = FOLDER) -> Path:
    """Runs the benchmark, shows what it prints, and keeps its line of JSON in `folder`.

    Raises:
        ResultError: the benchmark failed, or did not end with a line of JSON.
    """
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    last = ""
    with subprocess.Popen(
        measurement.command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        for last in process.stdout:
            if not last.startswith("{"):
                print(last, end="", flush=True)
    if process.returncode != 0:
        raise ResultError(f"{measurement.benchmark} ended with {process.returncode}")
    path = folder / measurement.file_name
    write_result(path, last)
    return path


def write_result(path: Path, line: str) -> None:
    """Keeps a benchmark's line of JSON, one value a line, so that changes can be read.

    Raises:
        ResultError: it is not a line of JSON.
    """
    try:
        fields = json.loads(line)
    except ValueError:
        raise ResultError(f"the last line must be JSON, got {line.strip()!r}") from None
    path.write_text(json.dumps(fields, indent=1, sort_keys=True) + "\n", encoding="utf-8")
