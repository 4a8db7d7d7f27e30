"""The encoder: CLIP (Radford et al. 2021) as the transformers library holds it."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from transforms.models.chunks import chunks, pad_chunk
from transforms.models.devices import NetworkOptions
from transforms.models.files import locate
from transforms.models.folder import (
    check_folder,
    load_network,
    load_tokenizer,
    tokenise,
)
from transforms.models.pictures import PictureProcessor, read_picture_processor
from transforms.models.spec import ModelSpec, read_options
from transforms.protocols import Vectors

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class EncoderOptions(NetworkOptions):
    """Pictures or texts at once, device and precision; see `NetworkOptions`."""

    gpu_batch_size: int = 256


def unit_vectors(features: "torch.Tensor") -> Vectors:
    """Features [n, dimension] scaled to length 1, float32.

    Raises:
        ValueError: a row has no direction (zero, infinite or not a number).
    """
    values: Vectors = features.float().cpu().numpy()
    lengths = np.sqrt(np.square(values, dtype=np.float64).sum(axis=1, keepdims=True))
    if not np.all(np.isfinite(lengths) & (lengths > 0)):
        raise ValueError("the encoder gave an embedding without direction")
    scaled: Vectors = (values / lengths).astype(np.float32)
    return scaled


@dataclass(frozen=True, eq=False)
class ClipEncoder:
    """An `Encoder` over a transformers `CLIPModel`."""

    network: Any
    tokenizer: Any
    pictures: PictureProcessor
    options: EncoderOptions

    @property
    def dimension(self) -> int:
        """Length of an embedding."""
        return int(self.network.config.projection_dim)

    @property
    def rows(self) -> int:
        """How many pictures or texts the network sees at once."""
        return self.options.rows

    def fit(self, image: Image.Image) -> Image.Image:
        """The picture at the network's size: what it costs to see it that needs no network."""
        return self.pictures.fit(image)

    def encode_images(self, images: Sequence[Image.Image]) -> Vectors:
        """L2-normalised embeddings of RGB pictures, float32 [n, dimension]."""
        import torch

        found = [np.empty((0, self.dimension), np.float32)]
        for chunk in chunks(images, self.rows):
            with torch.inference_mode():
                rows = pad_chunk(chunk, self.rows)
                pixels = self.pictures.for_network(rows, self.network)
                out = self.network.get_image_features(pixels)
                found.append(unit_vectors(out.pooler_output[: len(chunk)]))
        return np.concatenate(found)

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """L2-normalised embeddings of texts, float32 [n, dimension]; long texts are cut."""
        import torch

        length = self.network.config.text_config.max_position_embeddings
        found = [np.empty((0, self.dimension), np.float32)]
        for chunk in chunks(texts, self.rows):
            with torch.inference_mode():
                rows = pad_chunk(chunk, self.rows)
                words = tokenise(self.tokenizer, rows, length=length)
                out = self.network.get_text_features(
                    input_ids=words["input_ids"].to(self.network.device),
                    attention_mask=words["attention_mask"].to(self.network.device),
                )
                found.append(unit_vectors(out.pooler_output[: len(chunk)]))
        return np.concatenate(found)


def load_clip(spec: ModelSpec) -> ClipEncoder:
    """The encoder a spec names.

    Raises:
        ModelError: it cannot be loaded; the message says why.
    """
    options = read_options(EncoderOptions, spec)
    folder = locate(spec)
    check_folder(folder, model_type="clip")
    from transformers import CLIPModel

    return ClipEncoder(
        network=load_network(CLIPModel, folder, **asdict(options.placement)),
        tokenizer=load_tokenizer(folder),
        pictures=read_picture_processor(folder),
        options=options,
    )
