"""How a job runs: in which pieces, by which processes or runner, and into which folder.

`sharded_job` is the skeleton of every job over shards: only what is not whole yet is done.
"""
