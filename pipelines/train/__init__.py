"""`pairloom train`: an editor trained on a data set of pairs, or on an index.

`job` sets data, objective and trainer going, `data` says what there is to train on, `watch` and
`samples` tell how the run goes; which editor it is, the registry says.
"""
