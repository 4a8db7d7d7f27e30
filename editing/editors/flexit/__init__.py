"""FlexIT (Couairon et al. 2022; chapter 4 of Couairon's thesis): a picture's latent is optimised.

Gradients of a distance to a point of CLIP's space, made of two texts and the picture, move it.
"""
