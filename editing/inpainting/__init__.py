"""Inpainting: a picture, what may change in it, and a prompt, to a picture.

One protocol for all that paint inside a mask, whatever network does it. Which region is painted is
somebody else's choice.
"""
