"""How far attention is from a layout (Couairon 2023, chapter 6).

S_i `target`, the drawn segment; S^_i `attention`, how much each place looks at the tokens of its
phrase, in [0, 1].
"""

from collections.abc import Sequence

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from editing.attention.capture import WordMaps

SegmentMap = Float[Tensor, "h w"]

_LEAST = 1e-6
"""Probabilities are kept so far from 0 and 1, where the loss has no end."""


def segment_attention(maps: Float[Tensor, "h w tokens"], tokens: Sequence[int]) -> SegmentMap:
    """S^_i: the sum over a phrase's tokens of maps averaged over layers: equation 6.3."""
    return maps[..., list(tokens)].sum(-1)


def segment_loss(
    attention: SegmentMap, target: SegmentMap, *, weight_normalised: float
) -> Float[Tensor, ""]:
    """BCE(S^_i, S_i) + weight BCE(S^_i / max S^_i, S_i), means over places: equation 6.4.

    The thesis's weight is 1. Where the target is in part inside a segment it is a share.
    """
    plain = _cross_entropy(attention, target)
    if weight_normalised == 0:
        return plain
    normalised = attention / attention.amax().clamp_min(_LEAST)
    return plain + weight_normalised * _cross_entropy(normalised, target)


def layout_losses(
    maps: WordMaps,
    tokens: Sequence[Sequence[Sequence[int]]],
    targets: Sequence[Tensor],
    *,
    weight_normalised: float,
) -> list[Float[Tensor, ""]]:
    """L_Zest of each example, the sum over its segments: equation 6.4.

    `tokens` has those of each segment of each example, `targets` their masks at the maps' size,
    (k, h, w) of k segments.
    """
    return [
        sum(
            (
                segment_loss(
                    segment_attention(maps[row], some), target, weight_normalised=weight_normalised
                )
                for some, target in zip(tokens[row], targets[row], strict=True)
            ),
            start=maps.new_zeros(()),
        )
        for row in range(len(maps))
    ]


def _cross_entropy(probability: SegmentMap, target: SegmentMap) -> Float[Tensor, ""]:
    return F.binary_cross_entropy(probability.clamp(_LEAST, 1 - _LEAST), target)
