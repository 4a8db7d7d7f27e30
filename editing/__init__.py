"""Training and running editors on what the pipelines wrote."""
