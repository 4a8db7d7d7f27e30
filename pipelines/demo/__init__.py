"""`pairloom demo`: the main job on the built-in world, offline."""
