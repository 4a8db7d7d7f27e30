"""The peer of `pairloom index`: autofaiss, run by the Python of an environment of its own.

    PYTHON peer_index.py EMBEDDINGS INDEX GIB

Prints one line of JSON: what it chose and what it cost. It imports nothing of this project.
"""

import importlib
import json
import resource
import sys
import time


def main() -> None:
    """Builds the index as clip-retrieval has autofaiss build it, but for a given memory.

    Of the memory that it is told is there, autofaiss wants more than the index is to take.
    """
    build_index = importlib.import_module("autofaiss").build_index

    embeddings, index, gib = sys.argv[1:]
    start, cpu = time.perf_counter(), time.process_time()
    _, about = build_index(
        embeddings=embeddings,
        index_path=index,
        index_infos_path=f"{index}.json",
        max_index_memory_usage=f"{gib}G",
        current_memory_available=f"{2 * float(gib):g}G",
        metric_type="ip",
        should_be_memory_mappable=True,
        verbose=40,
    )
    print(
        json.dumps(
            {
                "key": about["index_key"],
                "parameters": about["index_param"],
                "seconds": time.perf_counter() - start,
                "cpu_seconds": time.process_time() - cpu,
                "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            }
        )
    )


if __name__ == "__main__":
    main()
