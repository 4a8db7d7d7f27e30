"""The search index over all parts of a folder: `image.index`, and `image.json`, what it is."""

from pathlib import Path

from indexes.faiss_building import build_index
from indexes.index_choice import DEFAULT_MEMORY_GIB, IndexChoice
from indexes.layout import INDEX_FILE, INDEX_PARAMETERS_FILE, write_atomically, write_json
from indexes.part_vectors import part_vectors
from indexes.spread_filling import Filling, merge_filling
from indexes.whole_parts import WholeParts


def write_faiss(
    folder: Path,
    whole: WholeParts,
    choice: IndexChoice,
    *,
    seed: int,
    memory_gib: float = DEFAULT_MEMORY_GIB,
    filling: Filling | None = None,
) -> None:
    """Builds the index over the parts of `folder`, in their order, and says what it is.

    Vectors to train it on are drawn by `seed`. The same parts give the same bytes, also where
    workers have filled pieces of the index already, which are merged: those of `filling`.

    Raises:
        IndexFolderError: a part cannot be read, or a file not be written.
        ValueError: `filling` is of another index.
    """
    vectors = part_vectors(
        folder, whole.pictures.tolist(), whole.dimension, first=0, total=len(whole)
    )
    if filling is not None and filling.choice != choice:
        raise ValueError(f"filling must be of {choice.key}, got {filling.choice.key}")

    def write(partial: Path) -> None:
        if filling is not None:
            merge_filling(filling, partial)
        else:
            build_index(vectors, choice, path=partial, seed=seed, memory_gib=memory_gib)

    path = folder / INDEX_FILE
    write_atomically(path, write)
    write_json(
        folder / INDEX_PARAMETERS_FILE,
        {
            "index_key": choice.key,
            "index_param": choice.parameters,
            "index_path": INDEX_FILE,
            "nb vectors": len(vectors),
            "size in bytes": path.stat().st_size,
            "vectors dimension": vectors.dimension,
        },
    )
