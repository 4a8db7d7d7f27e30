"""SDEdit (Meng et al. 2022): noise added to a picture and taken away again under a prompt.

Needs no training, and is what other editors are compared with.
"""
