"""`pairloom decontaminate`: a data set without near-copies of a test set's pictures."""
