"""Training adaptation heads on an index: one linear layer a modality over a frozen encoder.

Section 3.3.3 of Couairon's thesis. The pictures' embeddings are the index's; captions are embedded
once each. The heads begin as the encoder's own space, from where training changes them.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from editing.editors.simat.losses import info_nce
from editing.editors.simat.settings import HeadTraining
from editing.training.objective import EmbeddingBatch, NoDraw, Outcome
from transforms.models.adaptation_heads import AdaptationHeads, save_heads
from transforms.protocols import Encoder

KEPT_BYTES = 2**30
"""Texts' embeddings are kept up to so many bytes."""


class KnownTexts:
    """Embeddings of texts by an encoder, kept: an epoch has the captions of the one before it."""

    def __init__(self, encoder: Encoder, most_bytes: int = KEPT_BYTES) -> None:
        self._encoder = encoder
        self._known: dict[str, Tensor] = {}
        self._most = most_bytes // (4 * encoder.dimension)

    def embed(self, texts: Sequence[str]) -> Float[Tensor, "n d"]:
        """The unit embeddings of texts, on the CPU."""
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        fresh = dict(zip(new, self._embed(new), strict=True)) if new else {}
        found = [fresh[text] if text in fresh else self._known[text] for text in texts]
        if len(self._known) + len(fresh) <= self._most:
            self._known |= fresh
        return torch.stack(found)

    def _embed(self, texts: Sequence[str]) -> Tensor:
        return torch.from_numpy(np.array(self._encoder.encode_texts(texts), dtype=np.float32))


@dataclass(frozen=True, eq=False, kw_only=True)
class HeadObjective:
    """InfoNCE over a batch's pictures and captions, and all else of the heads' training.

    `identity` tells the encoder from another. Of several devices each compares the pictures of its
    own share.
    """

    encoder: Encoder
    identity: str
    settings: HeadTraining
    device: str = "cpu"

    @functools.cached_property
    def image_head(self) -> nn.Linear:
        """The layer of pictures."""
        return _identity_layer(self.encoder.dimension).to(self.device)

    @functools.cached_property
    def text_head(self) -> nn.Linear:
        """The layer of texts."""
        return _identity_layer(self.encoder.dimension).to(self.device)

    @functools.cached_property
    def texts(self) -> KnownTexts:
        """The captions that were embedded."""
        return KnownTexts(self.encoder)

    @functools.cached_property
    def groups(self) -> tuple[dict[str, nn.Parameter], ...]:
        """Both heads, in every step."""
        heads = {"image": self.image_head, "text": self.text_head}
        return (
            {
                f"{modality}_{name}": parameter
                for modality, head in heads.items()
                for name, parameter in head.named_parameters()
            },
        )

    def group_of(self, step: int) -> int:
        """There is one group."""
        return 0

    def draw(self, generator: torch.Generator, *, count: int, height: int, width: int) -> NoDraw:
        """Nothing."""
        return NoDraw()

    def keep_in(self, folder: Path) -> None:
        """Nothing takes so long that it would be kept."""

    def save_memory(self) -> None:
        """The heads are small: there is nothing to save."""

    def __call__(self, batch: EmbeddingBatch, draw: NoDraw) -> Outcome:
        """Half the loss of finding texts and half that of finding pictures."""
        images = self.image_head(batch.images)
        texts = self.text_head(self.texts.embed(batch.captions).to(batch.images.device))
        left_out = None
        if self.settings.same_captions == "left-out":
            left_out = same_texts(batch.captions).to(images.device)
        to_text, to_image = info_nce(
            images, texts, temperature=self.settings.temperature, left_out=left_out
        )
        return Outcome({"to_text": to_text, "to_image": to_image}, images)

    def recall(self, batch: EmbeddingBatch) -> float:
        """The share of captions that find, among a batch's pictures, one with the same words."""
        with torch.no_grad():
            device = self.image_head.weight.device
            images = F.normalize(self.image_head(batch.images.to(device)), dim=1)
            embedded = self.texts.embed(batch.captions).to(device)
            found = (F.normalize(self.text_head(embedded), dim=1) @ images.T).argmax(1).tolist()
        right = [
            batch.captions[place] == text for place, text in zip(found, batch.captions, strict=True)
        ]
        return float(sum(right) / len(right))

    def heads(self) -> AdaptationHeads:
        """The heads of now, as they are applied and kept."""
        arrays = {name: value.detach().cpu().numpy() for name, value in self.groups[0].items()}
        about = {
            "temperature": self.settings.temperature,
            "same_captions": self.settings.same_captions,
        }
        return AdaptationHeads(**arrays, encoder=self.identity, about=about)

    def save(self, folder: Path) -> None:
        """Writes the heads."""
        save_heads(self.heads(), folder)


def _identity_layer(dimension: int) -> nn.Linear:
    layer = nn.Linear(dimension, dimension)
    nn.init.eye_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


def same_texts(texts: Sequence[str]) -> Bool[Tensor, "n n"]:
    """Which two rows have the same words, a row and itself aside."""
    numbers = {text: number for number, text in enumerate(dict.fromkeys(texts))}
    row = torch.tensor([numbers[text] for text in texts])
    same: Tensor = row[:, None] == row[None, :]
    return same & ~torch.eye(len(texts), dtype=torch.bool)
