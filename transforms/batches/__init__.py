"""How batches of records pass through Beam: models behind RunInference, coders, timing."""
