"""The loss of adaptation heads: InfoNCE over pictures and texts, eq. 3.3 of Couairon's thesis."""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

Vectors = Float[Tensor, "n d"]


def info_nce(
    images: Vectors,
    texts: Vectors,
    *,
    temperature: float,
    left_out: Bool[Tensor, "n n"] | None = None,
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """Half the cross-entropy of finding each picture's text, and half that of each text's picture.

    `images` and `texts` are of any length and are brought to unit length; row i of one belongs to
    row i of the other. Their sum is L of eq. 3.3, which in print lacks the logarithm and its sign.
    `left_out` marks pairs of rows that are neither right nor wrong.
    """
    logits = F.normalize(images, dim=1) @ F.normalize(texts, dim=1).T / temperature
    if left_out is not None:
        logits = logits.masked_fill(left_out, -torch.inf)
    own = torch.arange(len(logits), device=logits.device)
    return F.cross_entropy(logits, own) / 2, F.cross_entropy(logits.T, own) / 2
