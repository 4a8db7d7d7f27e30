"""What building and searching an index costs, each measured in a process of its own."""

import json
import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from indexes.exact import ExactIndex
from indexes.faiss_building import VectorParts, build_index
from indexes.faiss_index import FaissIndex, load_faiss
from indexes.index_choice import choose_index
from indexes.parts import gather_rows
from indexes.search import Rows, Vectors, rescore
from support.processes import peak_mib

DEPTH = 10
BATCH = 32
"""So many queries at a time, as `pairloom build` asks."""
EXACT_QUERIES = 64
"""The exact search is timed over so many queries: each takes the same time."""
PEER_SCRIPT = Path(__file__).with_name("peer_index.py")


@dataclass(frozen=True, kw_only=True)
class Built:
    """An index and what it cost: seconds, seconds of all cores, and the most memory."""

    key: str
    parameters: str
    seconds: float
    cpu_seconds: float
    peak_mib: float


@dataclass(frozen=True, kw_only=True)
class Searched:
    """One setting: recall of each query, and milliseconds of a core a query."""

    probes: int
    recalls: dict[str, list[float]]
    query_ms: float


@dataclass(frozen=True)
class TwoSteps:
    """What `PictureIndex.search` does: `index` proposes, the stored vectors, in arrays, decide."""

    index: FaissIndex
    stored: list[Vectors]

    def search(self, queries: Vectors, k: int) -> tuple[Vectors, Rows]:
        """The `k` best rows for each query; see `indexes.search.Index`."""
        starts = np.cumsum([0, *map(len, self.stored)])
        _, found = self.index.search(queries, min(k + self.index.spare(k), len(self.index)))
        return rescore(queries, found, lambda rows: gather_rows(self.stored, starts, rows), k=k)


def build_ours(files: Sequence[Path], path: Path, *, memory_gib: float, seed: int) -> Built:
    """Builds the index that suits the vectors in `files`; call it in a process of its own."""
    counts = [len(np.load(file, mmap_mode="r")) for file in files]
    dimension = int(np.load(files[0], mmap_mode="r").shape[1])
    vectors = VectorParts(counts, dimension, lambda number: np.load(files[number], mmap_mode="r"))
    choice = choose_index(len(vectors), dimension, memory_gib=memory_gib)
    start, cpu = time.perf_counter(), time.process_time()
    build_index(vectors, choice, path=path, seed=seed, memory_gib=memory_gib)
    return Built(
        key=choice.key,
        parameters=choice.parameters,
        seconds=time.perf_counter() - start,
        cpu_seconds=time.process_time() - cpu,
        peak_mib=peak_mib(),
    )


def build_peer(
    python: str, folder: Path, path: Path, *, memory_gib: float, settings: Mapping[str, str]
) -> Built:
    """Has autofaiss, of the environment of `python`, build an index of the .npy files in `folder`.

    `settings` are environment variables that it gets.

    Raises:
        subprocess.CalledProcessError: it failed.
    """
    # A benchmark may be run with one thread; the peer is not.
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    environment |= settings
    words = [python, str(PEER_SCRIPT), str(folder), str(path), f"{memory_gib:g}"]
    ended = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    return Built(**json.loads(ended.stdout.splitlines()[-1]))


def find_exactly(
    files: Sequence[Path], queries: Mapping[str, Vectors]
) -> tuple[dict[str, Rows], dict[str, float]]:
    """The `DEPTH` nearest rows of each kind of queries, and milliseconds of a core a query.

    The time is by two exact searches, ours and FAISS's.
    """
    vectors = np.concatenate([np.load(file) for file in files])
    ours = ExactIndex(vectors)
    truth = {kind: ours.search(each, DEPTH)[1] for kind, each in queries.items()}
    flat = load_faiss().IndexFlatIP(vectors.shape[1])
    flat.add(vectors)
    some = next(iter(queries.values()))[:EXACT_QUERIES]
    return truth, {
        "ExactIndex": _core_ms(ours.search, some)[1],
        "IndexFlatIP": _core_ms(flat.search, some)[1],
    }


def search_index(
    path: Path,
    queries: Mapping[str, Vectors],
    truth: Mapping[str, Rows],
    probes: Sequence[int],
    files: Sequence[Path] | None = None,
) -> list[Searched]:
    """Searches an index of inverted lists, or a flat one (0 probes), by one thread.

    Where the `files` of its vectors are given, these decide, as where a build asks for candidates.
    """
    stored = None if files is None else [np.load(file, mmap_mode="r") for file in files]
    lines = []
    for number in probes:
        proposing = FaissIndex(path, parameters=f"nprobe={number}" if number else "")
        index = proposing if stored is None else TwoSteps(proposing, stored)
        recalls, times = {}, []
        for kind, each in queries.items():
            index.search(each, DEPTH)  # so that its pages are in memory
            found, milliseconds = _core_ms(index.search, each)
            times.append(milliseconds)
            recalls[kind] = [
                len(set(mine) & set(best)) / DEPTH
                for mine, best in zip(found.tolist(), truth[kind].tolist(), strict=True)
            ]
        lines.append(Searched(probes=number, recalls=recalls, query_ms=float(np.mean(times))))
    return lines


def _core_ms(
    search: Callable[[Vectors, int], tuple[Any, Rows]], queries: Vectors
) -> tuple[Rows, float]:
    """The rows found, `BATCH` queries at a time, and milliseconds of a core a query."""
    start = time.process_time()
    found = [
        search(queries[first : first + BATCH], DEPTH)[1] for first in range(0, len(queries), BATCH)
    ]
    return np.concatenate(found), (time.process_time() - start) / len(queries) * 1000
