"""What the benchmarks of the whole job share: their flags, the pool, its index, the command line.

`--told` lets captions come with the pictures, for trials in which captioning would take too long or
nothing is trained yet; figures that count are measured without it.
"""

import argparse
import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

import support.silent_libraries  # noqa: F401
from pipelines.build.plan import BuildOptions, BuildPlan, plan_build
from pipelines.index.job import IndexSummary, run_index
from pipelines.index.plan import IndexPlan
from pipelines.running.execution import Execution
from pipelines.sources import open_source
from pipelines.still_life.source import StillLifeSource
from support.reporting import add_report_flags
from transforms.presets import Preset, load_preset
from transforms.protocols import Source

SHARD_SIZE = 250
BATCH_SIZE = 32


@dataclass(frozen=True, kw_only=True)
class Job:
    """A pool of still lifes, the networks that look at it, and the folder all is written to."""

    pool: StillLifeSource
    preset: Preset
    work: Path

    @property
    def captions(self) -> str:
        """Where captions come from, as `BuildOptions` and `IndexPlan` name it."""
        return "source" if self.pool.told else "model"

    @property
    def index_folder(self) -> Path:
        """The pool's index; a folder for each pool, so that several can lie in one place."""
        told = "-told" if self.pool.told else ""
        return self.work / f"index-seed{self.pool.seed}-pool{self.pool.count}{told}"

    def index_plan(self) -> IndexPlan:
        """How the pool's index is made."""
        return IndexPlan(
            source=self.pool,
            preset=self.preset,
            folder=str(self.index_folder),
            captions=self.captions,
            batch_size=BATCH_SIZE,
        )

    def index(self, *, workers: int) -> IndexSummary:
        """Makes the pool's index, or what is still missing of it."""
        return run_index(self.index_plan(), Execution(workers=workers))

    def plan(self, source: Source, options: BuildOptions, folder: Path) -> BuildPlan:
        """A build of pairs from `source` and the pool's index."""
        return plan_build(
            source=source,
            index_folder=str(self.index_folder),
            open_pool=open_source,
            preset=self.preset,
            options=options,
            folder=str(folder),
        )


def add_job_flags(parser: argparse.ArgumentParser) -> None:
    """`--seed`, `--preset`, `--told`, `--work` and `--json`."""
    add_report_flags(parser)
    parser.add_argument("--preset", default="stilllife", help="networks to use (default stilllife)")
    parser.add_argument(
        "--told", action="store_true", help="captions come with the pictures: for trials only"
    )
    parser.add_argument(
        "--work", type=Path, metavar="DIR", help="keep everything here, and go on from what is here"
    )


@contextlib.contextmanager
def open_work(arguments: argparse.Namespace) -> Iterator[Path]:
    """The folder of `--work`, or one that is gone at the end; from here on one thread a process."""
    os.environ["OMP_NUM_THREADS"] = "1"
    if arguments.work is not None:
        arguments.work.mkdir(parents=True, exist_ok=True)
        yield arguments.work.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="pairloom-benchmark-") as folder:
        yield Path(folder)


def open_job(
    arguments: argparse.Namespace, work: Path, *, pool: int, shard_size: int = SHARD_SIZE
) -> Job:
    """The job that the flags ask for, with a pool of so many pictures."""
    collection = StillLifeSource(
        count=pool, seed=arguments.seed, shard_size=shard_size, told=arguments.told
    )
    return Job(pool=collection, preset=load_preset(arguments.preset), work=work)


def source_file(path: Path, source: StillLifeSource) -> Path:
    """`source` written as a source file, for the command line."""
    path.write_text(yaml.safe_dump(source.describe()), encoding="utf-8")
    return path


def command(*words: object) -> list[str]:
    """The command line `pairloom` with `words`, by this Python."""
    return [sys.executable, "-m", "pairloom", *map(str, words)]


def environment() -> dict[str, str]:
    """Where commands run: this project importable, one thread a process."""
    root = str(Path(__file__).resolve().parents[2])
    paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}
