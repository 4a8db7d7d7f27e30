"""Training a product quantiser: one k-means for every few numbers of a vector."""

from types import ModuleType
from typing import Any

import numpy as np

from indexes.list_assignment import Lists, RunAll
from indexes.search import Vectors

MOST_TRAINING = 32_768
"""128 vectors for each of the 256 codes."""

ROUNDS = 10


def train_product_codes(
    index: Any,
    vectors: Vectors,
    centres: Vectors,
    lists: Lists,
    *,
    seed: int,
    run: RunAll,
    faiss: ModuleType,
) -> None:
    """Gives `index`, FAISS's inverted lists with product codes, what it encodes by.

    `lists` says which of `centres` each of `vectors` belongs to; what is encoded is the difference.
    Each group of numbers is trained by a thread of its own, so that more cores change nothing.
    """
    quantizer = index.pq
    chosen = np.random.default_rng(seed).permutation(len(vectors))[:MOST_TRAINING]
    chosen.sort()
    left = vectors[chosen]
    if index.by_residual:
        left = left - centres[lists[chosen]]
    shape = (quantizer.M, quantizer.ksub, quantizer.dsub)
    codebooks = np.empty(shape, dtype=np.float32)

    def work(start: int, stop: int) -> None:
        faiss.omp_set_num_threads(1)
        for number in range(start, stop):
            own = left[:, number * shape[2] : (number + 1) * shape[2]]
            codebooks[number] = _cluster(np.ascontiguousarray(own), shape[1], seed, faiss)

    run(work, shape[0], 1)
    faiss.copy_array_to_vector(codebooks.ravel(), quantizer.centroids)


def _cluster(vectors: Vectors, count: int, seed: int, faiss: ModuleType) -> Vectors:
    """The `count` centres of `vectors` by FAISS's k-means, on the thread that calls."""
    parameters = faiss.ClusteringParameters()
    parameters.seed = seed % 2**31
    parameters.niter = ROUNDS
    parameters.min_points_per_centroid = 1
    clustering = faiss.Clustering(vectors.shape[1], count, parameters)
    clustering.train(vectors, faiss.IndexFlatL2(vectors.shape[1]))
    centres: Vectors = faiss.vector_to_array(clustering.centroids).reshape(count, -1)
    return centres
