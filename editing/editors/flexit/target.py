"""The multimodal target of FlexIT, in the concatenated spaces of several encoders."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from editing.editors.flexit.views import ViewMaps, look_at
from editing.features.clip import ClipSpace, make_square
from editing.tensors import Embeddings, PictureBatch


@dataclass(frozen=True, eq=False)
class JointEncoder:
    """Several encoders as one, as in figure 4.3 of Couairon's thesis: embeddings concatenated.

    Each encoder's own embedding of a text or a view has length 1 before that.
    """

    spaces: tuple[ClipSpace, ...]

    def embed_pictures(self, pictures: PictureBatch, maps: ViewMaps) -> Embeddings:
        """C_i: the mean over the views of each picture; gradients pass."""
        views = look_at(make_square(pictures), maps)
        found = [F.normalize(space.embed_pictures(views), dim=1) for space in self.spaces]
        joined = torch.cat([each.to(found[0].device) for each in found], 1)
        mean: Embeddings = joined.unflatten(0, (len(pictures), -1)).mean(1)
        return mean

    @torch.no_grad()
    def embed_texts(self, texts: Sequence[str]) -> Embeddings:
        """C_t."""
        found = [F.normalize(space.embed_texts(texts), dim=1) for space in self.spaces]
        return torch.cat([each.to(found[0].device) for each in found], 1)


def make_target(
    encoder: JointEncoder,
    pictures: PictureBatch,
    maps: ViewMaps,
    *,
    prompts: Sequence[str],
    source_prompts: Sequence[str | None],
    weight_image: float,
    weight_source: float,
) -> Embeddings:
    """P = C_t(T) + lambda_I C_i(I_0) - lambda_S C_t(S): equation 4.1.

    Where nothing says what a source shows, nothing is taken away.
    """
    with torch.no_grad():
        target = encoder.embed_texts(prompts)
        target = target + weight_image * encoder.embed_pictures(pictures, maps).to(target.device)
        told = [text for text in source_prompts if text]
        if told:
            rows = [row for row, text in enumerate(source_prompts) if text]
            target[rows] -= weight_source * encoder.embed_texts(told)
    return target
