"""`pairloom demo`: the main job on the built-in world, offline.

The only command that runs others: index, build, verify and report.
"""
