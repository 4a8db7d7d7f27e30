"""What scoring candidates costs: the stage Retrieve against one candidate after another.

    python benchmarks/candidate_scoring.py [--pool N] [--sources N] [--rounds N] [--before CHECKOUT]
                                           [--seed N] [--json]

Edits of still lifes look for candidates in an index of still lifes, whose captions are the world's
own. In each round all of them are looked for twice: candidate by candidate, as the stage reads in
its description (`support/plain_scoring.py`), and by the stage, batch by batch. Processor seconds
are compared, of one thread, with what the search itself takes shown beside them; both ways must
give the same candidates with the same scores, to the last bit. With `--before`, a checkout of an
earlier version of this project, that one's stage is timed over the same edits as well, in turn with
this one's, each in a process of its own:

    git worktree add ../before COMMIT
    python benchmarks/candidate_scoring.py --before ../before
"""

import argparse
import json
import os
import pickle
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import support.silent_libraries  # noqa: F401
from support.plain_scoring import retrieve_plainly
from support.reporting import Target, add_report_flags, at_least, finish

from indexes.folder import PictureIndex, open_index
from pipelines.index.job import run_index
from pipelines.index.plan import IndexPlan
from pipelines.running.execution import Execution
from pipelines.still_life.source import StillLifeSource
from pipelines.terminal.console import print_table
from transforms.caption import take_source_captions
from transforms.embed import embed_queries_batch
from transforms.models.loading import load_encoder
from transforms.presets import load_preset
from transforms.read import read_batches
from transforms.record import Batch, EditQuery
from transforms.retrieve import RetrieveOptions, query_vectors, retrieve_batch
from transforms.rewrite import RewriteOptions, Rewriting, apply_rewriting
from transforms.words.proposals import load_rewriter

WAYS = ("one by one", "the stage", "search alone")
OPTIONS = RetrieveOptions()


def prepare(
    arguments: argparse.Namespace, folder: Path
) -> tuple[PictureIndex, list[Batch[EditQuery]]]:
    """The index of the pool, and batches of edits with their embeddings."""
    pool = StillLifeSource(count=arguments.pool, seed=arguments.seed, told=True)
    preset = load_preset("stilllife")
    plan = IndexPlan(source=pool, preset=preset, folder=str(folder), captions="source")
    run_index(plan, Execution())
    index = open_index(folder)
    options = RewriteOptions(seed=arguments.seed, edits=4)
    rewriting = Rewriting(load_rewriter(options), None)
    encoder = load_encoder(preset.encoder)
    source = StillLifeSource(
        count=arguments.sources, seed=arguments.seed, told=True, shard_size=arguments.sources
    )
    batches = [
        embed_queries_batch(
            apply_rewriting(take_source_captions(batch), rewriting), encoder, known=index
        )
        for batch in read_batches(source, source.shards()[0], 32)
    ]
    return index, batches


def spent(work: Callable[[Batch[EditQuery]], Any], batches: Sequence[Batch[EditQuery]]) -> Any:
    """Processor seconds of `work` over all batches, and what it gave."""
    began = time.process_time()
    found = [work(batch) for batch in batches]
    return time.process_time() - began, found


def measure_round(index: PictureIndex, batches: Sequence[Batch[EditQuery]]) -> dict[str, float]:
    """Seconds of each way over the same batches.

    Raises:
        RuntimeError: the ways differ in a candidate or a score.
    """
    plainly, expected = spent(lambda b: retrieve_plainly(b.records, index, OPTIONS), batches)
    staged, found = spent(lambda b: list(retrieve_batch(b, index, OPTIONS).records), batches)
    if found != expected:
        raise RuntimeError("the stage gives other candidates than one by one")
    depth = OPTIONS.k + 16
    searched, _ = spent(lambda b: index.search(query_vectors(b.records, OPTIONS), depth), batches)
    return dict(zip(WAYS, (plainly, staged, searched), strict=True))


def run_apart(checkout: Path, index: PictureIndex, batches: Path) -> dict[str, Any]:
    """Seconds of the stage of the project in `checkout`, and the hash of what it found."""
    script = Path(__file__).parent / "support" / "retrieve_apart.py"
    done = subprocess.run(
        [sys.executable, str(script), str(index.folder), str(batches)],
        env={**os.environ, "PYTHONPATH": str(checkout.resolve())},
        cwd=checkout,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def compare_before(
    before: Path, index: PictureIndex, batches: Sequence[Batch[EditQuery]], *, rounds: int
) -> list[float]:
    """Of each round the seconds of the stage before over those of the stage now.

    Raises:
        RuntimeError: they differ in a candidate or a score.
    """
    now = Path(__file__).resolve().parents[1]
    ratios = []
    with tempfile.NamedTemporaryFile(suffix=".pickle") as file:
        file.write(pickle.dumps(batches))
        file.flush()
        for _ in range(rounds):
            earlier, later = (run_apart(each, index, Path(file.name)) for each in (before, now))
            if earlier["sha256"] != later["sha256"]:
                raise RuntimeError(f"the stage of {before} gives other candidates")
            ratios.append(earlier["seconds"] / later["seconds"])
    return ratios


def main() -> None:
    """Indexes, looks for candidates in rounds, prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pool", type=int, default=2_000, help="pictures in it (default 2000)")
    parser.add_argument("--sources", type=int, default=256, help="default 256")
    parser.add_argument("--rounds", type=int, default=5, help="default 5")
    parser.add_argument(
        "--before", type=Path, metavar="CHECKOUT", help="an earlier version, timed as well"
    )
    add_report_flags(parser)
    arguments = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    with tempfile.TemporaryDirectory(prefix="pairloom-benchmark-") as work:
        index, batches = prepare(arguments, Path(work) / "index")
        measure_round(index, batches[:1])  # opens what is opened once
        rounds = [measure_round(index, batches) for _ in range(arguments.rounds)]
        before = (
            compare_before(arguments.before, index, batches, rounds=arguments.rounds)
            if arguments.before
            else None
        )
        queries = sum(len(batch.records) for batch in batches)
        candidates = sum(
            len(query.candidates)
            for batch in batches
            for query in retrieve_batch(batch, index, OPTIONS).records
        )
    seconds = {way: statistics.median(each[way] for each in rounds) for way in WAYS}
    print_table(
        f"{candidates} candidates of {queries} edits, median of {arguments.rounds} rounds",
        [(way, seconds[way], seconds[way] / candidates * 1e6) for way in WAYS],
        columns=("", "processor seconds", "us a candidate"),
    )
    figures = {
        "pool": arguments.pool,
        "sources": arguments.sources,
        "rounds": arguments.rounds,
        "queries": queries,
        "candidates": candidates,
        "processor_seconds": seconds,
        "candidates_a_second": candidates / seconds["the stage"],
        "before_ratio": None if before is None else statistics.median(before),
        "ratio": statistics.median(each["one by one"] / each["the stage"] for each in rounds),
    }
    finish(arguments, figures=figures, targets=list_targets(figures))


def list_targets(figures: Mapping[str, Any]) -> list[Target]:
    """How much less the stage takes than candidate by candidate."""
    plainly = Target(
        name="processor seconds, candidate by candidate / the stage",
        value=figures["ratio"],
        bound=at_least(6.0),
    )
    if figures["before_ratio"] is None:
        return [plainly]
    before = Target(
        name="processor seconds of the stage, before / now",
        value=figures["before_ratio"],
        bound=at_least(2.0),
    )
    return [plainly, before]


if __name__ == "__main__":
    main()
