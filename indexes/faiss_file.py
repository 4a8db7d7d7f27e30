"""The search index over all parts of a folder: `image.index`, and `image.json`, what it is."""

from collections.abc import Mapping
from pathlib import Path

from indexes.faiss_building import VectorParts, build_index
from indexes.index_choice import DEFAULT_MEMORY_GIB, IndexChoice
from indexes.layout import INDEX_FILE, INDEX_PARAMETERS_FILE, Part, write_atomically, write_json
from indexes.parts import PartSummary, load_array


def write_faiss(
    folder: Path,
    summaries: Mapping[Part, PartSummary],
    choice: IndexChoice,
    *,
    seed: int,
    memory_gib: float = DEFAULT_MEMORY_GIB,
) -> None:
    """Builds the index over the parts of `summaries`, in their order, and says what it is.

    Vectors to train it on are drawn by `seed`. The same parts give the same bytes.

    Raises:
        IndexFolderError: a part cannot be read, or a file not be written.
    """
    filled = [(part, summary) for part, summary in summaries.items() if summary.pictures]
    vectors = VectorParts(
        counts=[summary.pictures for _, summary in filled],
        dimension=filled[0][1].dimension,
        load=lambda number: load_array(filled[number][0].embedding_path(folder)),
    )
    path = folder / INDEX_FILE
    write_atomically(
        path,
        lambda partial: build_index(
            vectors, choice, path=partial, seed=seed, memory_gib=memory_gib
        ),
    )
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
