"""`pairloom build`: pairs made from a source and an index.

`plan` is what is decided before, `job` the Beam graph and its run, `plain_loop` the same as a `for`
loop.
"""
