"""The stage Retrieve over batches from a file, by whichever version of the project is importable.

    PYTHONPATH=CHECKOUT python benchmarks/support/retrieve_apart.py INDEX BATCHES

Run in a process of its own. Says, as a line of JSON, how many processor seconds it took after a
first time over one batch, and the hash of the candidates' rows and scores.
"""

import hashlib
import json
import pickle
import sys
import time
from pathlib import Path

from indexes.folder import open_index
from transforms.retrieve import RetrieveOptions, retrieve_batch


def main() -> None:
    """Looks for the candidates of all batches."""
    folder, file = sys.argv[1:]
    index, options = open_index(folder), RetrieveOptions()
    batches = pickle.loads(Path(file).read_bytes())
    retrieve_batch(batches[0], index, options)
    began = time.process_time()
    found = [retrieve_batch(batch, index, options) for batch in batches]
    seconds = time.process_time() - began
    scored = [
        [(each.row, each.scores) for each in query.candidates]
        for batch in found
        for query in batch.records
    ]
    told = {"seconds": seconds, "sha256": hashlib.sha256(repr(scored).encode()).hexdigest()}
    print(json.dumps(told))


if __name__ == "__main__":
    main()
