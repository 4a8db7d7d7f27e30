"""Which part of the noise network a step trains (iEdit, section 4.1).

Input and middle layers are updated in turn, so that fine-tuning fits small cards: even steps train
`conv_in` and the down blocks, odd steps the middle block. Up blocks and all else are never trained.
"""

from collections.abc import Iterator
from typing import Any

from torch import nn


class AlternatingBlocks:
    """The two groups of a UNet's weights that are trained in turn.

    Weights outside the group of the step have no gradient: they do not require one, so none is
    computed or kept. Weights in neither group have no optimiser state either.
    """

    def __init__(self, unet: Any) -> None:
        self._unet = unet
        self._modules: tuple[dict[str, nn.Module], ...] = (
            {"conv_in": unet.conv_in, "down_blocks": unet.down_blocks},
            {"mid_block": unet.mid_block},
        )
        unet.requires_grad_(requires_grad=False)

    def __len__(self) -> int:
        return len(self._modules)

    def number(self, step: int) -> int:
        """Which group `step` trains."""
        return step % len(self)

    def parameters(self, number: int) -> list[nn.Parameter]:
        """The weights of group `number`."""
        return [parameter for _, parameter in self.named_parameters(number)]

    def named_parameters(self, number: int) -> Iterator[tuple[str, nn.Parameter]]:
        """The weights of group `number` by their names in the UNet."""
        for name, module in self._modules[number].items():
            yield from module.named_parameters(prefix=name)

    def begin(self, step: int) -> list[nn.Parameter]:
        """Makes the group of `step` the one that is trained, and gives its weights."""
        for number in range(len(self)):
            for parameter in self.parameters(number):
                parameter.requires_grad = number == self.number(step)
                if number != self.number(step):
                    parameter.grad = None
        return self.parameters(self.number(step))
