"""What clip-retrieval writes and answers, made without it."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from fakes.index import unit_vectors

VECTORS = unit_vectors(5, 8)


def write_folder(folder, *, kind="float16", sizes=(3, 2), names=None, vectors=VECTORS):
    """A folder as `clip-retrieval inference` writes it, one part for each of `sizes`."""
    names = names or [f"/data/a/{number}.jpg" for number in range(sum(sizes))]
    for name in ("img_emb", "metadata"):
        (folder / name).mkdir(parents=True)
    start = 0
    for number, size in enumerate(sizes):
        stop = start + size
        np.save(folder / "img_emb" / f"img_emb_{number}.npy", vectors[start:stop].astype(kind))
        table = pa.table({"image_path": names[start:stop], "caption": ["a chair"] * size})
        pq.write_table(table, folder / "metadata" / f"metadata_{number}.parquet")
        start = stop
    return folder
