"""A real picture in the edit's place: the pseudo-target that was retrieved for a pair.

As good a picture as can be, and another one than the source: what an edit must keep more than.
"""
