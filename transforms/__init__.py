"""Beam stages, one a file, with the records, the pictures and the models they share."""
