"""`pairloom index`: captions, embeddings and a search index of a collection."""
