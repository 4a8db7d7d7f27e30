"""The networks behind the stages, one file a kind, and the means of loading them safely.

Nothing here imports Beam; torch and the model libraries are imported when a model is loaded.
"""
