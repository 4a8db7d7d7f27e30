"""`pairloom clean`: filters, near-copies, splits and balance for a data set that is there."""
