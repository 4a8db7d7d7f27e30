"""Nearest-neighbour search over CLIP embeddings: exact, FAISS, sharded, on disk."""
