"""The captioner: BLIP (Li et al. 2022), which describes a picture and is given nothing but it."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from transforms.models.chunks import chunks, pad_chunk
from transforms.models.devices import NetworkOptions
from transforms.models.files import locate
from transforms.models.folder import check_folder, load_network, load_tokenizer, tokenise
from transforms.models.pictures import PictureProcessor, read_picture_processor
from transforms.models.spec import ModelSpec, read_options
from transforms.protocols import GeneratedCaption, Vectors

if TYPE_CHECKING:
    import torch

LONGEST_TEXT = 64
"""A text whose likelihood is asked is cut to so many tokens."""


@dataclass(frozen=True)
class BlipOptions(NetworkOptions):
    """Beams (1 = greedy), the longest caption in tokens; pictures at once, device, precision."""

    num_beams: int = 1
    max_new_tokens: int = 30

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("num_beams", "max_new_tokens"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")


@dataclass(frozen=True, eq=False)
class BlipCaptioner:
    """A `Captioner`: greedy or beam search, never sampling, so the same picture, the same words."""

    network: Any
    tokenizer: Any
    pictures: PictureProcessor
    options: BlipOptions

    @property
    def rows(self) -> int:
        """How many pictures the network sees at once."""
        return self.options.rows

    def fit(self, image: Image.Image) -> Image.Image:
        """The picture at the network's size: what it costs to see it that needs no network."""
        return self.pictures.fit(image)

    def caption(self, images: Sequence[Image.Image]) -> list[GeneratedCaption]:
        """One caption per RGB picture, with the probability of its least certain token."""
        return [
            caption for chunk in chunks(images, self.rows) for caption in self._caption_chunk(chunk)
        ]

    def _caption_chunk(self, images: Sequence[Image.Image]) -> list[GeneratedCaption]:
        import torch

        pixels = self.pictures.for_network(pad_chunk(images, self.rows), self.network)
        with torch.inference_mode():
            # With `input_ids` BLIP's generate would drop the last token of the prompt.
            written = self.network.generate(
                pixel_values=pixels,
                num_beams=self.options.num_beams,
                do_sample=False,
                max_new_tokens=self.options.max_new_tokens,
                output_scores=True,
                return_dict_in_generate=True,
            )
            probabilities = self._token_probabilities(written)
        tokens = written.sequences[:, -probabilities.shape[1] :]
        return [
            self._read(row.tolist(), chances.tolist())
            for row, chances in zip(tokens[: len(images)], probabilities, strict=False)
        ]

    def log_likelihoods(self, images: Sequence[Image.Image], texts: Sequence[str]) -> Vectors:
        """Sum over a text's tokens and its end of log p(token | picture, tokens before).

        One for each text, float32, in nats, at most 0; of more than `LONGEST_TEXT` tokens the first
        count.

        Raises:
            ValueError: more or fewer texts than pictures.
        """
        if len(images) != len(texts):
            raise ValueError(f"one text per picture: {len(images)} and {len(texts)}")
        found = [np.empty(0, np.float32)]
        for chunk in chunks(list(zip(images, texts, strict=True)), self.rows):
            rows = pad_chunk(chunk, self.rows)
            likely = self._log_likelihoods([one for one, _ in rows], [text for _, text in rows])
            found.append(likely[: len(chunk)])
        return np.concatenate(found)

    def _log_likelihoods(self, images: list[Image.Image], texts: list[str]) -> Vectors:
        import torch

        network = self.network
        with torch.inference_mode():
            pixels = self.pictures.for_network(images, network)
            seen = network.vision_model(pixel_values=pixels).last_hidden_state
            tokens, there = self.read(texts, LONGEST_TEXT)
            logits = network.text_decoder(
                input_ids=tokens, attention_mask=there, encoder_hidden_states=seen
            ).logits
            chances = torch.log_softmax(logits[:, :-1].float(), dim=-1)
            of_tokens = chances.gather(-1, tokens[:, 1:, None]).squeeze(-1)
            likely: Vectors = (of_tokens * there[:, 1:]).sum(1).cpu().numpy()
        return likely

    def read(self, texts: list[str], length: int) -> "tuple[torch.Tensor, torch.Tensor]":
        """Tokens as the decoder writes them, from its start to the end, and where there are any.

        Both int64 [n, length], or as long as the network's table of positions where that is less.
        """
        config = self.network.config.text_config
        words = tokenise(self.tokenizer, texts, length=min(length, config.max_position_embeddings))
        tokens = words["input_ids"].to(self.network.device)
        # BLIP's decoder starts with a token of its own, where its tokenizer puts BERT's.
        tokens[:, 0] = config.bos_token_id
        return tokens, words["attention_mask"].to(self.network.device)

    def _token_probabilities(self, written: Any) -> "torch.Tensor":
        """Probability of each written token given those before it, float32 [n, length]."""
        scores = self.network.text_decoder.compute_transition_scores(
            written.sequences,
            tuple(scores.float() for scores in written.scores),
            getattr(written, "beam_indices", None),
            # Beam search keeps log-probabilities, greedy search raw logits.
            normalize_logits=self.options.num_beams == 1,
        )
        probabilities: torch.Tensor = scores.exp()
        return probabilities

    def _read(self, tokens: list[int], chances: list[float]) -> GeneratedCaption:
        end = self.network.config.text_config.sep_token_id
        length = tokens.index(end) if end in tokens else len(tokens)
        # The end itself counts: it says how sure the network was that nothing is left to say.
        confidence = min(chances[: length + 1])
        if not math.isfinite(confidence):
            raise ValueError("the captioner gave a probability that is not a number")
        text = self.tokenizer.decode(tokens[:length], skip_special_tokens=True)
        return GeneratedCaption(
            text=" ".join(text.split()), confidence=min(1.0, max(0.0, confidence))
        )


def load_blip(spec: ModelSpec) -> BlipCaptioner:
    """The captioner a spec names.

    Raises:
        ModelError: it cannot be loaded; the message says why.
    """
    options = read_options(BlipOptions, spec)
    folder = locate(spec)
    check_folder(folder, model_type="blip")
    from transformers import BlipForConditionalGeneration

    return BlipCaptioner(
        network=load_network(BlipForConditionalGeneration, folder, **asdict(options.placement)),
        tokenizer=load_tokenizer(folder),
        pictures=read_picture_processor(folder),
        options=options,
    )
