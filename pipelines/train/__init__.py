"""`pairloom train`: an editor trained on a data set of pairs.

`job` sets data, objective and trainer going, `watch` tells how the run goes; which editor it is,
the registry says.
"""
