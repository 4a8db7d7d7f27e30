"""An index folder: embeddings, metadata and search, in clip-retrieval's layout.

The ground floor: imports nothing else of the project.
"""
