"""Groups of near-copies as jobs on Beam: of all pictures of an index, and of any signatures.

`joining` compares pictures table by table, `index_groups` gives every picture of an index its
group.
"""
