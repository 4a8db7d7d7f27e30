"""Pictures that are copies of one another but for a new file, size, crop or tone.

`fingerprint` is what is kept of a picture, `rule` says when two pictures are near-copies, `tables`
finds them among many, and `components` makes groups of them.
"""
