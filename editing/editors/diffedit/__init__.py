"""DiffEdit (Couairon et al. 2023): the source is inverted, and denoised under a prompt in a mask.

Needs no training. Without a mask it is the baseline that the thesis calls encode-decode.
"""
