"""`pairloom verify`: whether a data set is whole and holds what its manifest says.

The checks themselves are `transforms.dataset.checks`.
"""
