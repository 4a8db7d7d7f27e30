"""A latent diffusion model: the networks, the arithmetic of noise, and the sampling loop.

A denoiser is a callable `(z_t, t) -> noise`, so that every editor that samples shares one loop.
"""
