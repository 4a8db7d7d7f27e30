"""What FlexIT makes small (Couairon's thesis, section 4.3).

Symbols and names: z `latents`, z_0 `source_latents`, C_i(D(z)) `embeddings`, P `target`. Every loss
has one number for each edit.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from editing.diffusion.noise import Latents
from editing.editors.flexit.settings import Embedding
from editing.tensors import Embeddings, PerExample


def embedding_loss(embeddings: Embeddings, target: Embeddings, *, kind: Embedding) -> PerExample:
    """How far pictures are from their targets: equation 4.2, or minus the dot product.

    The dot product does not ask for a length, which the sum of equation 4.1 leaves to chance.
    """
    if kind == "squared":
        return (embeddings - target).square().sum(1)
    return -(embeddings * target).sum(1)


def perceptual_distance(
    features: Float[Tensor, "b ..."], source_features: Float[Tensor, "b ..."]
) -> PerExample:
    """L_perc, equation 4.3: LPIPS (Zhang et al. 2018) over one layer and without learned weights.

    Features are maps (b, d, h, w) or tokens (b, n, d); each place's are scaled to length 1, and
    squared distances are averaged over places. In [0, 4].
    """
    channels = 1 if features.ndim == 4 else -1
    one, other = (F.normalize(each, dim=channels) for each in (features, source_features))
    distance: PerExample = (one - other).square().sum(channels).flatten(1).mean(1)
    return distance


def latent_distance(latents: Latents, source_latents: Latents) -> PerExample:
    """L_latent, equation 4.4, over the same sum for z_0: sum_i |z_i - z_0i| / sum_i |z_0i|.

    The norm is over the channels of each place i, so that few places change.
    """
    moved = torch.linalg.vector_norm(latents - source_latents, dim=1).flatten(1).sum(1)
    whole = torch.linalg.vector_norm(source_latents, dim=1).flatten(1).sum(1)
    distance: PerExample = moved / whole.clamp_min(torch.finfo(torch.float32).tiny)
    return distance
