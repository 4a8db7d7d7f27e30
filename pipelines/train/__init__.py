"""`pairloom train`: an editor trained on a data set of pairs."""
