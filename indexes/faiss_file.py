"""The search index over all parts of a folder: `image.index`, and `image.json`, what it is."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from indexes.faiss_index import IndexChoice, build_index, training_size
from indexes.layout import INDEX_FILE, INDEX_PARAMETERS_FILE, Part, write_atomically, write_json
from indexes.parts import PartSummary, load_array
from indexes.search import Vectors


def write_faiss(
    folder: Path, summaries: Mapping[Part, PartSummary], choice: IndexChoice, *, seed: int
) -> None:
    """Builds the index over the parts of `summaries`, in their order, and says what it is.

    Vectors to train it on are drawn by `seed`. The same parts give the same bytes.

    Raises:
        IndexFolderError: a part cannot be read, or a file not be written.
    """
    arrays = [
        load_array(part.embedding_path(folder))
        for part, summary in summaries.items()
        if summary.pictures
    ]
    training = _sample(arrays, training_size(sum(map(len, arrays)), choice), seed=seed)
    path = folder / INDEX_FILE
    write_atomically(path, lambda partial: build_index(arrays, training, choice, path=partial))
    write_json(
        folder / INDEX_PARAMETERS_FILE,
        {
            "index_key": choice.key,
            "index_param": choice.parameters,
            "index_path": INDEX_FILE,
            "nb vectors": sum(map(len, arrays)),
            "size in bytes": path.stat().st_size,
            "vectors dimension": arrays[0].shape[1],
        },
    )


def _sample(arrays: list[Vectors], size: int, *, seed: int) -> Vectors:
    """`size` of the vectors, drawn without replacement, in row order."""
    starts = np.cumsum([0, *map(len, arrays)])
    drawn = np.random.default_rng(seed).choice(starts[-1], size=size, replace=False)
    drawn.sort()
    chosen = [
        array[drawn[(drawn >= start) & (drawn < start + len(array))] - start]
        for array, start in zip(arrays, starts, strict=False)
    ]
    return np.concatenate(chosen)
