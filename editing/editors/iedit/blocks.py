"""Which part of the noise network a step trains (iEdit, section 4.1).

Input and middle layers are updated in turn, so that fine-tuning fits small cards: even steps train
`conv_in` and the down blocks, odd steps the middle block. Up blocks and all else are never trained.
"""

from typing import Any

from torch import nn


def alternating_groups(unet: Any) -> tuple[dict[str, nn.Parameter], dict[str, nn.Parameter]]:
    """The two groups of a UNet's weights that are trained in turn, by their names in the UNet."""
    return _named(unet, "conv_in", "down_blocks"), _named(unet, "mid_block")


def _named(unet: Any, *modules: str) -> dict[str, nn.Parameter]:
    return {
        name: parameter
        for module in modules
        for name, parameter in getattr(unet, module).named_parameters(prefix=module)
    }
