"""How batches of records pass through Beam: models behind RunInference, coders, timing.

A model is loaded once in a process, and a batch that fails is bisected until only the guilty record
is rejected.
"""
