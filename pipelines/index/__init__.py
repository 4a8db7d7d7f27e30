"""`pairloom index`: captions, embeddings and a search index of a collection.

`job` is the plan, the Beam graph and its run; the folder it fills is the package `indexes`'.
"""
