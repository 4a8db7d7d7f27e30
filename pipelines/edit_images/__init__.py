"""`pairloom edit-images`: every edit that a data set of pairs asks for, as Parquet shards."""
