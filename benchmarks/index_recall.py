"""Recall of the FAISS index against exact search, on queries that are not in it.

    python benchmarks/index_recall.py [--index DIR] [--vectors N] [--key KEY] [--seed N] [--json]

Vectors come from an index folder, or are drawn: clusters on the sphere, as embeddings of pictures
have. Some are held out as queries; the rest is indexed with the index that suits their number (or
`--key`) and searched with a growing number of probed lists; the vectors themselves have the last
word, as where a build asks. recall@k is the share of the k exact
nearest neighbours that are among the k found.
"""

import argparse
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from support.index_search import TwoSteps
from support.intervals import Bounds, bootstrap_mean
from support.reporting import Target, add_report_flags, at_least, finish

from indexes.exact import ExactIndex
from indexes.faiss_building import VectorParts, build_index
from indexes.faiss_index import FaissIndex
from indexes.folder import open_index
from indexes.index_choice import IndexChoice, choose_index
from indexes.search import Rows, Vectors

DEPTHS = (1, 10, 30)
DEPTH_OF_TARGET = 10


@dataclass(frozen=True)
class Line:
    """One line of the table: parameters, recall by depth, milliseconds a query.

    `interval` is that of the recall at `DEPTH_OF_TARGET`.
    """

    key: str
    parameters: str
    is_default: bool
    recall: dict[str, float]
    interval: Bounds | None
    query_ms: float
    exact_ms: float


def draw_vectors(count: int, *, dimension: int, clusters: int, rng: np.random.Generator) -> Vectors:
    """Unit vectors (count, dimension) around `clusters` centres, as far from them as they are."""
    centres = rng.normal(size=(clusters, dimension))
    vectors = centres[rng.integers(clusters, size=count)] + rng.normal(size=(count, dimension))
    unit: Vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return unit


def recalls_at(found: Rows, exact: Rows, depth: int) -> list[float]:
    """Of each query the share of the `depth` best of `exact` among the `depth` best of `found`."""
    return [
        len(set(mine[:depth]) & set(truth[:depth])) / depth
        for mine, truth in zip(found.tolist(), exact.tolist(), strict=True)
    ]


def timed_search(index: ExactIndex | TwoSteps, queries: Vectors) -> tuple[Rows, float]:
    """The rows found and the milliseconds a query."""
    start = time.perf_counter()
    _, rows = index.search(queries, max(DEPTHS))
    return rows, (time.perf_counter() - start) / len(queries) * 1000


def measure(vectors: Vectors, queries: Vectors, choice: IndexChoice, *, seed: int) -> list[Line]:
    """The default number of probed lists, and powers of two around it."""
    exact, exact_ms = timed_search(ExactIndex(vectors), queries)
    default = choice.parameters
    variants = [default]
    if default:
        variants += [f"nprobe={2**power}" for power in range(9)]
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "image.index"
        build_index(VectorParts.of([vectors]), choice, path=path, seed=seed)
        for parameters in variants:
            index = TwoSteps(FaissIndex(path, parameters=parameters), [vectors])
            found, query_ms = timed_search(index, queries)
            recalls = {depth: recalls_at(found, exact, depth) for depth in DEPTHS}
            lines.append(
                Line(
                    key=choice.key,
                    parameters=parameters,
                    is_default=parameters == default,
                    recall={str(depth): float(np.mean(each)) for depth, each in recalls.items()},
                    interval=bootstrap_mean(recalls[DEPTH_OF_TARGET]),
                    query_ms=query_ms,
                    exact_ms=exact_ms,
                )
            )
    return lines


def list_targets(figures: Mapping[str, Any]) -> list[Target]:
    """Recall with as many probed lists as by default, and what it saves."""
    default = next(line for line in figures["lines"] if line["is_default"])
    return [
        Target(
            name=f"recall@{DEPTH_OF_TARGET} by default",
            value=default["recall"][str(DEPTH_OF_TARGET)],
            bound=at_least(0.99, kind="guard"),
            interval=default["interval"],
        ),
        Target(
            name="time of a query / of exact search",
            value=default["query_ms"] / default["exact_ms"],
        ),
    ]


def main() -> None:
    """Reads the arguments, measures, prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--index", help="take the vectors of this index folder")
    parser.add_argument("--vectors", type=int, default=120_000, help="how many to draw")
    parser.add_argument("--dimension", type=int, default=64)
    parser.add_argument("--clusters", type=int, default=500)
    parser.add_argument("--queries", type=int, default=500, help="how many to hold out")
    parser.add_argument("--key", help="FAISS factory string, with --parameters")
    parser.add_argument("--parameters", default="nprobe=16")
    add_report_flags(parser)
    arguments = parser.parse_args()
    rng = np.random.default_rng(arguments.seed)
    if arguments.index:
        index = open_index(arguments.index)
        vectors = index.embeddings(range(len(index)))
    else:
        vectors = draw_vectors(
            arguments.vectors + arguments.queries,
            dimension=arguments.dimension,
            clusters=arguments.clusters,
            rng=rng,
        )
    order = rng.permutation(len(vectors))
    held_out, rest = order[: arguments.queries], np.sort(order[arguments.queries :])
    choice = (
        IndexChoice(arguments.key, arguments.parameters)
        if arguments.key
        else choose_index(len(rest), vectors.shape[1])
    )
    lines = measure(vectors[rest], vectors[held_out], choice, seed=arguments.seed)
    print(f"{len(rest)} vectors, {len(held_out)} held-out queries, {choice.key}")
    print(f"{'parameters':14}" + "".join(f"{f'recall@{d}':>11}" for d in DEPTHS) + "   ms/query")
    for line in lines:
        columns = "".join(f"{line.recall[str(depth)]:11.3f}" for depth in DEPTHS)
        note = "  (default)" if line.is_default else ""
        print(f"{line.parameters or 'all':14}{columns}{line.query_ms:11.3f}{note}")
    print(f"{'exact':14}{'':33}{lines[0].exact_ms:11.3f}")
    figures = {
        "vectors": len(rest),
        "queries": len(held_out),
        "lines": [asdict(line) for line in lines],
    }
    finish(arguments, figures=figures, targets=list_targets(figures))


if __name__ == "__main__":
    main()
