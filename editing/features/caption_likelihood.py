"""How likely a captioner finds a text of a picture, while gradients pass through the picture.

Pictures are float32 NCHW in [-1, 1]; the weights are frozen.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from editing.features.clip import fit_pictures
from editing.tensors import PerExample, PictureBatch
from transforms.models.blip import BlipCaptioner, load_blip
from transforms.models.folder import to_network
from transforms.models.loading import load_by
from transforms.models.spec import ModelSpec

TextLikelihood = Callable[[PictureBatch], PerExample]
"""Of pictures in [-1, 1] the log-likelihood of a text for each, in nats, at most 0."""


@runtime_checkable
class CaptionLikelihood(Protocol):
    """A captioner that tells how likely it would have been to write a given text."""

    def of_texts(self, texts: Sequence[str]) -> TextLikelihood:
        """The log-likelihood of these texts, one for each picture; gradients pass."""
        ...


@dataclass(frozen=True, eq=False)
class BlipLikelihood:
    """`CaptionLikelihood` of a transformers `BlipForConditionalGeneration`."""

    captioner: BlipCaptioner

    def of_texts(self, texts: Sequence[str]) -> TextLikelihood:
        """The sum of log p(text | picture) over the tokens of each text and its end.

        Texts that are longer than the network's table of positions are cut. What comes out raises a
        ValueError for more or fewer pictures than texts.
        """
        network = self.captioner.network
        longest = max(len(ids) for ids in self.captioner.tokenizer(list(texts)).input_ids)
        ids, present = self.captioner.read(list(texts), longest)

        def likelihood(pictures: PictureBatch) -> PerExample:
            if len(texts) != len(pictures):
                raise ValueError(f"one text per picture: {len(pictures)} and {len(texts)}")
            fitted = fit_pictures(pictures.to(network.device), self.captioner.pictures)
            seen = network.vision_model(pixel_values=to_network(fitted, network)).last_hidden_state
            logits: Tensor = network.text_decoder(
                input_ids=ids, attention_mask=present, encoder_hidden_states=seen
            ).logits
            chances = torch.log_softmax(logits[:, :-1].float(), dim=-1)
            of_tokens = chances.gather(-1, ids[:, 1:, None]).squeeze(-1)
            return (of_tokens * present[:, 1:]).sum(1)

        return likelihood


def _load_blip(spec: ModelSpec) -> CaptionLikelihood:
    return BlipLikelihood(load_blip(spec))


CAPTION_LIKELIHOODS: Mapping[str, Callable[[ModelSpec], CaptionLikelihood]] = {"blip": _load_blip}
"""How a captioner of each loader is loaded for gradients."""


def load_caption_likelihood(spec: ModelSpec) -> CaptionLikelihood:
    """The captioner of a spec, for gradients.

    Raises:
        ModelError: it cannot be loaded; the message says why.
    """
    return load_by(spec, CAPTION_LIKELIHOODS, "captioner")
