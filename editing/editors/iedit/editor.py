"""The editor `iedit`."""

from editing.diffusion.noise_edit import NoiseEditor


class IEditEditor(NoiseEditor):
    """iEdit's inference (Bodur et al. 2023, section 3.4): SDEdit with the weights of its training.

    With a mask, equation 13 keeps what lies outside.
    """
