"""How good an edit is: the losses and the score of Lin et al. 2024, equations 3 to 7.

Symbols and names: X the source, X_o an edit of it, T the prompt (`target`), T_ROI what the edit
changes, in words (`phrase`), E_v and E_t CLIP's embeddings, f what its vision tower makes of each
patch after its last layer, Q(f) `self_similarity`. Everything is computed for a batch of edits of
one source. lambda_C, lambda_S and lambda_D are `LossWeights`.
"""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from editing.editors.learned_regions.settings import LossWeights
from editing.features.clip import Tokens
from editing.tensors import Embeddings, PerExample

Vector = Float[Tensor, "1 d"]
"""The embedding of a text or of the source."""


def cosine_distance(one: Embeddings, other: Embeddings) -> PerExample:
    """D_cos: 1 - cosine, in [0, 2]; 1 where one of the vectors is zero, which has no direction."""
    return 1 - F.cosine_similarity(one, other, dim=1)


def clip_loss(edit: Embeddings, target: Vector) -> PerExample:
    """L_Clip = D_cos(E_v(X_o), E_t(T)): equation 4."""
    return cosine_distance(edit, target.expand_as(edit))


def self_similarity(tokens: Tokens) -> Float[Tensor, "b n n"]:
    """Q(f): the cosine of every two patches of a picture."""
    unit = F.normalize(tokens, dim=-1)
    return unit @ unit.transpose(1, 2)


def structure_loss(edit_tokens: Tokens, source_tokens: Float[Tensor, "1 n d_token"]) -> PerExample:
    """L_Str = ||Q(f_Xo) - Q(f_X)||_2: equation 5, as the MEAN of squared differences.

    The paper's norm grows with the number of patches, so that its weight of 1 would mean another
    thing for every network; the mean does not.
    """
    gap = self_similarity(edit_tokens) - self_similarity(source_tokens)
    return gap.square().mean((1, 2))


def direction_loss(edit: Embeddings, source: Vector, target: Vector, phrase: Vector) -> PerExample:
    """L_Dir = D_cos(E_v(X_o) - E_v(X), E_t(T) - E_t(T_ROI)): equation 6.

    Embeddings are of length 1 before they are subtracted. It is 1 for an edit that is its source.
    """
    change = F.normalize(edit, dim=1) - F.normalize(source, dim=1)
    wanted = F.normalize(target, dim=1) - F.normalize(phrase, dim=1)
    return cosine_distance(change, wanted.expand_as(change))


def total_loss(
    clip: PerExample, structure: PerExample, direction: PerExample, weights: LossWeights
) -> PerExample:
    """L = lambda_C L_Clip + lambda_S L_Str + lambda_D L_Dir: equation 3."""
    return weights.clip * clip + weights.structure * structure + weights.direction * direction


ALPHA, BETA = 2.0, 1.0


def quality_score(edit: Embeddings, source: Vector, target: Vector) -> PerExample:
    """S = alpha S_t2i + beta S_i2i with alpha = 2 and beta = 1: equation 7, on raw cosines.

    S_t2i is the cosine of prompt and edit, S_i2i that of source and edit.
    """
    to_text = F.cosine_similarity(edit, target.expand_as(edit), dim=1)
    to_source = F.cosine_similarity(edit, source.expand_as(edit), dim=1)
    return ALPHA * to_text + BETA * to_source


def expected_loss(
    probabilities: Float[Tensor, "k m"], losses: Float[Tensor, "k m"]
) -> Float[Tensor, ""]:
    """sum_j pi_j L_j, the mean over anchors: what drawing boxes by pi costs, exactly."""
    return (probabilities * losses).sum(-1).mean()


def composite(
    chosen: Float[Tensor, " m"],
    masks: Float[Tensor, "m 1 height width"],
    edits: Float[Tensor, "m 3 height width"],
    source: Float[Tensor, "3 height width"],
) -> Float[Tensor, "1 3 height width"]:
    """M E + (1 - m) X with m the mask of the box that the one-hot `chosen` chooses, E its edit.

    The gradient in `chosen` comes through m alone, as the paper reads: what another box's edit
    would have looked like, it does not know.
    """
    edit = edits[int(chosen.argmax())]
    mask = (chosen.view(-1, 1, 1, 1) * masks).sum(0)
    return (mask * edit + (1 - mask) * source).unsqueeze(0)
