"""Editing by retrieval: the picture of an index that the change of words leads to.

Chapter 3 of Couairon's thesis, with its adaptation heads and its measure, the SIMAT score.
"""
