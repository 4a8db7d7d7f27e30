"""A data set of pairs on disk: its schema, its files, its manifest and card, and how it is read."""
