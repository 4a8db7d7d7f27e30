"""The segmenter: CLIPSeg (Lüddecke and Ecker 2022), which finds what a phrase names."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

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
from transforms.models.spec import ModelError, ModelSpec, read_options
from transforms.protocols import Vectors


@dataclass(frozen=True)
class ClipSegOptions(NetworkOptions):
    """Pictures at once, device and precision; see `NetworkOptions`."""

    batch_size: int = 8


@dataclass(frozen=True, eq=False)
class ClipSegSegmenter:
    """A `Segmenter` whose relevance map has the size its pictures are brought to."""

    network: Any
    tokenizer: Any
    pictures: PictureProcessor
    options: ClipSegOptions

    @property
    def rows(self) -> int:
        """How many pictures the network sees at once."""
        return self.options.rows

    def fit(self, image: Image.Image) -> Image.Image:
        """The picture at the network's size: what it costs to see it that needs no network."""
        return self.pictures.fit(image)

    def relevance(self, images: Sequence[Image.Image], phrases: Sequence[str]) -> Vectors:
        """Sigmoid relevance of every point to its picture's phrase, float32 [n, h, w] in [0, 1]."""
        if len(images) != len(phrases):
            raise ValueError(f"one phrase per picture: {len(images)} and {len(phrases)}")
        found = [np.empty((0, self.pictures.height, self.pictures.width), np.float32)]
        pairs = list(zip(images, phrases, strict=True))
        for chunk in chunks(pairs, self.rows):
            rows = pad_chunk(chunk, self.rows)
            maps = self._run([image for image, _ in rows], [phrase for _, phrase in rows])
            found.append(maps[: len(chunk)])
        return np.concatenate(found)

    def _run(self, images: list[Image.Image], phrases: list[str]) -> Vectors:
        import torch

        device = self.network.device
        length = self.network.config.text_config.max_position_embeddings
        words = tokenise(self.tokenizer, phrases, length=length)
        with torch.inference_mode():
            logits = self.network(
                pixel_values=self.pictures.for_network(images, self.network),
                input_ids=words["input_ids"].to(device),
                attention_mask=words["attention_mask"].to(device),
                # The pictures are larger than those the position table was trained for.
                interpolate_pos_encoding=True,
            ).logits
            relevance: Vectors = torch.sigmoid(logits.float()).cpu().numpy()
        if not np.isfinite(relevance).all():
            raise ValueError("the segmenter gave a relevance that is not a number")
        return relevance


def load_clipseg(spec: ModelSpec) -> ClipSegSegmenter:
    """The segmenter a spec names.

    Raises:
        ModelError: it cannot be loaded; the message says why.
    """
    options = read_options(ClipSegOptions, spec)
    folder = locate(spec)
    check_folder(folder, model_type="clipseg")
    # Cropping would leave the borders of the picture without a relevance.
    pictures = dataclasses.replace(read_picture_processor(folder), shortest_edge=None)
    if pictures.height != pictures.width:
        raise ModelError(
            f"{folder}: CLIPSeg wants square pictures, got {pictures.height} x {pictures.width}"
        )
    from transformers import CLIPSegForImageSegmentation

    network = load_network(
        CLIPSegForImageSegmentation, folder, **dataclasses.asdict(options.placement)
    )
    patch = network.config.vision_config.patch_size
    if pictures.height % patch:
        raise ModelError(
            f"{folder}: pictures of {pictures.height} px do not divide into patches of {patch}"
        )
    return ClipSegSegmenter(
        network=network,
        tokenizer=load_tokenizer(folder),
        pictures=pictures,
        options=options,
    )
