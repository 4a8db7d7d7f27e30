"""The editor `sdedit`."""

from editing.diffusion.noise_edit import NoiseEditor


class SDEditEditor(NoiseEditor):
    """SDEdit (Meng et al. 2022) by any latent diffusion model, as it is."""
