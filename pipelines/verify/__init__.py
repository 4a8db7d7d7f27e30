"""`pairloom verify`: whether a data set is whole and holds what its manifest says."""
