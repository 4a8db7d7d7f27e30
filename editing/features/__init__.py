"""Networks that look at a picture while gradients pass: CLIP, and perceptual features.

A loss looks through them; the encoders of `transforms.models` take decoded pictures instead.
"""
