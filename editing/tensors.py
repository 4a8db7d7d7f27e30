"""Tensors of pictures and masks by name: what editors, training and measures hand to one another.

In pixels a side is called `height` or `width`, in places of a latent `h` or `w`. Latents themselves
are in `editing.diffusion.noise`.
"""

from jaxtyping import Float
from torch import Tensor

PictureTensor = Float[Tensor, "3 height width"]
"""One picture, in [-1, 1]."""

PictureBatch = Float[Tensor, "b 3 height width"]
"""Pictures of one size, in [-1, 1]."""

MaskTensor = Float[Tensor, "1 height width"]
"""One mask: 1 inside, 0 outside."""

MaskBatch = Float[Tensor, "b 1 height width"]
"""Masks of one size: 1 inside, 0 outside."""

LatentMask = Float[Tensor, "b 1 h w"]
"""Masks at the size of latents: 1 inside, 0 outside."""

Embeddings = Float[Tensor, "b d"]
"""Pictures or texts as vectors, in the space of CLIP or the like."""

PerExample = Float[Tensor, " b"]
"""One number for each example of a batch."""
