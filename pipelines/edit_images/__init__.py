"""`pairloom edit-images`: every edit that a data set of pairs asks for, as Parquet shards.

`job` is the Beam graph and its run, `shards` what is read of the pairs and written of the edits.
"""
