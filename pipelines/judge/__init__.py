"""`pairloom judge`: a local page on which people say which pairs are right.

The marks themselves, and what follows from them, are in `pipelines.marks`.
"""
