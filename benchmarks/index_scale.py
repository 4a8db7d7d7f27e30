"""The search index at 10 000, 100 000 and 999 999 vectors, beside autofaiss's.

    python benchmarks/index_scale.py [--vectors N ...] [--peer PYTHON] [--seed N] [--json]

Vectors of 512 numbers are drawn in clusters (`support/index_vectors.py`), so noisy that a few
lists do not hold all neighbours, and queries of two kinds: more such vectors, as pictures are, and
vectors further off, as texts are. Indexes are built in processes of their own, on all cores, and
searched by one thread, 32 queries at a time; of ours the stored vectors have the last word, as
where a build asks, and the time is with that. Times of searches are of a core, so that what else
runs on the machine counts less. `--peer` is the Python of an environment that has autofaiss.
"""

import argparse
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from support.index_search import (
    Built,
    Searched,
    build_ours,
    build_peer,
    find_exactly,
    search_index,
)
from support.index_vectors import draw_vectors
from support.intervals import bootstrap_mean
from support.processes import call_apart
from support.reporting import Target, add_report_flags, at_least, at_most, finish

LEAST_RECALL = 0.95
LEAST_SPEED = 20
LISTS_FROM = 50_000
"""From so many vectors on the recall is asked: fewer are searched exactly."""
SCALE = 999_999
"""From so many vectors on the speed is asked as well."""


def measure(
    count: int,
    *,
    queries: int,
    probes: list[int],
    memory_gib: float,
    peer: str | None,
    peer_settings: Mapping[str, str],
    seed: int,
) -> dict[str, Any]:
    """Both indexes of `count` vectors, and what searching them by so many probes gives."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "vectors").mkdir()
        drawn = draw_vectors(folder / "vectors", count, queries=queries, seed=seed)
        asked = {"pictures": drawn.pictures, "texts": drawn.texts}
        truth, exact_ms = call_apart(find_exactly, drawn.files, asked)
        built = {
            "ours": call_apart(
                build_ours, drawn.files, folder / "ours", memory_gib=memory_gib, seed=seed
            )
        }
        if peer is not None:
            built["autofaiss"] = build_peer(
                peer,
                folder / "vectors",
                folder / "autofaiss",
                memory_gib=memory_gib,
                settings=peer_settings,
            )
        usual = {name: probes_of(each) for name, each in built.items()}
        wanted = sorted({*probes, *usual.values()} - {0})
        lines = {
            name: call_apart(
                search_index,
                folder / name,
                asked,
                truth,
                wanted if usual[name] else [0],
                drawn.files if name == "ours" else None,
            )
            for name in built
        }
    return {
        "vectors": count,
        "queries": queries,
        "exact_ms": exact_ms,
        "indexes": {
            name: {
                **asdict(each),
                "probes": usual[name],
                "lines": [show_line(line) for line in lines[name]],
            }
            for name, each in built.items()
        },
    }


def probes_of(built: Built) -> int:
    """How many lists are looked into where nothing else is asked; 0 of an index without lists."""
    for part in built.parameters.split(","):
        name, _, value = part.partition("=")
        if name == "nprobe":
            return int(value)
    return 0


def show_line(line: Searched) -> dict[str, Any]:
    """The recall of each kind of queries, with the interval, and the time."""
    return {
        "probes": line.probes,
        "query_ms": line.query_ms,
        "recall": {kind: float(np.mean(each)) for kind, each in line.recalls.items()},
        "interval": {kind: bootstrap_mean(each) for kind, each in line.recalls.items()},
    }


def usual_line(index: Mapping[str, Any]) -> Mapping[str, Any]:
    """The line of an index as it is searched where nothing else is asked."""
    line: Mapping[str, Any] = next(
        line for line in index["lines"] if line["probes"] == index["probes"]
    )
    return line


def recall_at_time(index: Mapping[str, Any], query_ms: float, kind: str) -> float | None:
    """The recall that `index` has where a query takes `query_ms`, between what was measured.

    None where every query takes longer.
    """
    lines = sorted(index["lines"], key=lambda line: line["query_ms"])
    times = np.log([line["query_ms"] for line in lines])
    recalls = np.maximum.accumulate([line["recall"][kind] for line in lines])
    return (
        None if np.log(query_ms) < times[0] else float(np.interp(np.log(query_ms), times, recalls))
    )


def list_targets(figures: Mapping[str, Any]) -> list[Target]:
    """What is asked of every index, and of those beside a peer's."""
    targets = []
    for size in figures["sizes"]:
        targets += search_targets(size)
        if "autofaiss" in size["indexes"]:
            targets += peer_targets(size)
    return targets


def search_targets(size: Mapping[str, Any]) -> list[Target]:
    """Recall and speed of an index as it is searched where nothing else is asked."""
    line, number = usual_line(size["indexes"]["ours"]), size["vectors"]
    exact = min(size["exact_ms"].values())
    return [
        Target(
            name=f"recall@10 by default, {number} vectors",
            value=line["recall"]["pictures"],
            bound=at_least(LEAST_RECALL, kind="aim") if number >= LISTS_FROM else None,
            interval=line["interval"]["pictures"],
        ),
        Target(
            name=f"the same, queries like texts, {number} vectors",
            value=line["recall"]["texts"],
            interval=line["interval"]["texts"],
        ),
        Target(
            name=f"speed by default / of exact search, {number} vectors",
            value=exact / line["query_ms"],
            bound=at_least(LEAST_SPEED, kind="aim") if number >= SCALE else None,
        ),
    ]


def peer_targets(size: Mapping[str, Any]) -> list[Target]:
    """Recall at the peer's speed over the peer's, and memory and time of building over its."""
    ours, peer = size["indexes"]["ours"], size["indexes"]["autofaiss"]
    line, number = usual_line(peer), size["vectors"]
    found = {kind: recall_at_time(ours, line["query_ms"], kind) for kind in line["recall"]}
    return [
        *(
            Target(
                name=f"recall@10 at autofaiss's speed - autofaiss's, {kind}, {number} vectors",
                value=None if recall is None else recall - line["recall"][kind],
                bound=at_least(-0.002, kind="aim") if number >= SCALE else None,
            )
            for kind, recall in found.items()
        ),
        Target(
            name=f"peak memory of building / autofaiss's, {number} vectors",
            value=ours["peak_mib"] / peer["peak_mib"],
            bound=at_most(1, kind="aim"),
        ),
        Target(
            name=f"seconds of building / autofaiss's, {number} vectors",
            value=ours["seconds"] / peer["seconds"],
        ),
    ]


def print_size(size: Mapping[str, Any]) -> None:
    """The tables of one number of vectors."""
    exact = ", ".join(f"{name} {ms:.2f}" for name, ms in size["exact_ms"].items())
    print(f"\n{size['vectors']} vectors; exact search: {exact} ms of a core a query")
    for name, index in size["indexes"].items():
        print(
            f"{name}: {index['key']} ({index['parameters'] or 'all'}), built in "
            f"{index['seconds']:.1f} s ({index['cpu_seconds']:.1f} s of cores), "
            f"{index['peak_mib']:.0f} MiB"
        )
        print(f"{'probes':>8}{'pictures':>10}{'texts':>8}{'ms/query':>10}")
        for line in index["lines"]:
            recall = line["recall"]
            print(
                f"{line['probes'] or 'all':>8}{recall['pictures']:10.3f}{recall['texts']:8.3f}"
                f"{line['query_ms']:10.3f}{'  (default)' if line is usual_line(index) else ''}"
            )


def main() -> None:
    """Reads the arguments, measures, prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--vectors", type=int, nargs="+", default=[10_000, 100_000, 999_999], metavar="N"
    )
    parser.add_argument("--queries", type=int, default=512, metavar="N", help="of each kind")
    parser.add_argument(
        "--probes", type=int, nargs="+", default=[1, 4, 8, 16, 32, 64, 128], metavar="N"
    )
    parser.add_argument("--memory", type=float, default=16.0, metavar="GIB", help="for an index")
    parser.add_argument("--peer", metavar="PYTHON", help="of an environment that has autofaiss")
    parser.add_argument(
        "--peer-set",
        nargs="*",
        default=[],
        metavar="NAME=VALUE",
        help="for its environment, such as OPENBLAS_CORETYPE where its OpenBLAS knows no such core",
    )
    add_report_flags(parser)
    arguments = parser.parse_args()
    sizes = []
    for count in sorted(arguments.vectors):
        sizes.append(
            measure(
                count,
                queries=arguments.queries,
                probes=arguments.probes,
                memory_gib=arguments.memory,
                peer=arguments.peer,
                peer_settings=dict(each.split("=", 1) for each in arguments.peer_set),
                seed=arguments.seed,
            )
        )
        print_size(sizes[-1])
    figures = {"memory_gib": arguments.memory, "sizes": sizes}
    finish(arguments, figures=figures, targets=list_targets(figures))


if __name__ == "__main__":
    main()
