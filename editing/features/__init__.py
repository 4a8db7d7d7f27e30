"""Networks that look at a picture while gradients pass: CLIP, and perceptual features."""
