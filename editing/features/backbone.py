"""Where a picture's things are, by a transformer's own attention: the last layer's CLS token.

Self-supervised transformers look at things without having been told what a thing is (Caron et al.
2021), and so, less sharply, do those that learned pictures beside their captions.
"""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from editing.features.clip import fit_pictures
from editing.finite import require_finite_rows
from editing.pictures import working_sides
from editing.tensors import PictureBatch
from transforms.models.pictures import PictureProcessor
from transforms.models.spec import ModelError

MOST_ATTENTION = 2**27
"""Numbers of attention that are kept at once, over all layers: half a GiB."""


@dataclass(frozen=True, eq=False)
class BackboneOutput:
    """What a backbone makes of pictures, on its grid of patches, h rows of w.

    `attention` of the last layer's CLS token over the patches, the mean of its heads: at least 0,
    and less than 1 in sum, for the CLS token looks at itself as well. `features` are the last
    layer's tokens of the patches.
    """

    attention: Float[Tensor, "b h w"]
    features: Float[Tensor, "b d h w"]


@runtime_checkable
class Backbone(Protocol):
    """Attention and features of pictures, patch by patch.

    | attribute | what it is |
    |---|---|
    | `picture_size` | the shorter side in pixels that pictures are brought to |
    | `patch_size` | side of a patch in those pixels |
    """

    @property
    def picture_size(self) -> int:
        """The shorter side in pixels that pictures are brought to before they are looked at."""
        ...

    @property
    def patch_size(self) -> int:
        """Side of a patch, in pixels of the pictures as they are looked at."""
        ...

    def __call__(self, pictures: PictureBatch) -> BackboneOutput:
        """Attention and features of pictures in [-1, 1], without gradients.

        The grid covers the whole picture, whatever its aspect; of a square it is `picture_size`
        over `patch_size` patches a side.

        Raises:
            NotFiniteError: the network gave infinite numbers, or none, for those at its `places`.
        """
        ...


@dataclass(frozen=True, eq=False)
class VisionTransformer:
    """`Backbone` of a vision transformer of transformers, with eager attention.

    The positions it was trained with are interpolated where pictures have another size.
    """

    network: Any
    pictures: PictureProcessor
    picture_size: int

    @property
    def patch_size(self) -> int:
        """Side of a patch in pixels."""
        return int(self.network.config.patch_size)

    @torch.no_grad()
    def __call__(self, pictures: PictureBatch) -> BackboneOutput:
        """Attention and features of pictures in [-1, 1]."""
        height, width = pictures.shape[-2:]
        width, height = working_sides(
            (width, height), shorter=self.picture_size, multiple=self.patch_size
        )
        grid = (height // self.patch_size, width // self.patch_size)
        processor = dataclasses.replace(
            self.pictures, height=height, width=width, shortest_edge=None
        )
        fitted = fit_pictures(pictures.to(self.network.device), processor)
        looked = [self._look(some, grid) for some in self._chunks(fitted, grid)]
        attention, features = (torch.cat(parts) for parts in zip(*looked, strict=True))
        require_finite_rows(attention, where="in the backbone's attention")
        require_finite_rows(features, where="in the backbone's features")
        return BackboneOutput(attention, features)

    def _chunks(self, fitted: Tensor, grid: tuple[int, int]) -> Iterator[Tensor]:
        """Rows whose attention fits into memory, of which eager layers keep all."""
        config = self.network.config
        a_picture = config.num_hidden_layers * config.num_attention_heads
        a_picture *= (1 + grid[0] * grid[1]) ** 2
        yield from fitted.split(max(1, MOST_ATTENTION // a_picture))

    def _look(self, fitted: Tensor, grid: tuple[int, int]) -> tuple[Tensor, Tensor]:
        output = self.network(
            pixel_values=fitted, output_attentions=True, interpolate_pos_encoding=True
        )
        of_cls = output.attentions[-1][:, :, 0, 1:].mean(1)
        tokens = output.last_hidden_state[:, 1:].transpose(1, 2)
        return of_cls.float().unflatten(1, grid), tokens.float().unflatten(2, grid)


def make_backbone(network: Any, pictures: PictureProcessor, *, side: int, where: str) -> Backbone:
    """The backbone of a loaded network; `side` is its `picture_size`, 0 for the processor's own.

    Raises:
        ModelError: a side that is not made of whole patches; `where` names the model.
    """
    side, patch = side or pictures.height, int(network.config.patch_size)
    if side < patch or side % patch:
        raise ModelError(f"{where}: picture_size must be a multiple of {patch}, got {side}")
    return VisionTransformer(network=network, pictures=pictures, picture_size=side)
