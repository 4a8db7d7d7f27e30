"""A data set of pairs on disk: its schema, its files, its manifest and card, and how it is read.

Files are whole or not there, the manifest comes last; `reader` and `tables` are the only ones that
read shards.
"""
