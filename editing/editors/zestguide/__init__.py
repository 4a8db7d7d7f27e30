"""ZestGuide (Couairon 2023, chapter 6) with paint-with-words (Balaji et al. 2022).

Pictures from a prompt and a layout: the model's own attention to the words is compared with the
drawn segments, and its gradient moves the latent.
"""
