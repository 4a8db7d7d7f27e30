"""The encoder: CLIP (Radford et al. 2021) as the open_clip library holds it.

Three ways to name one: a hub name, a local folder with `open_clip_config.json`, or one safetensors
file together with the option `architecture`, such as "ViT-L-14-quickgelu". OpenAI's weights want
the `-quickgelu` architectures: with the plain ones they load without a word and embed badly.
"""

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from transforms.models.chunks import chunks, pad_chunk
from transforms.models.clip import EncoderOptions, unit_vectors
from transforms.models.files import locate, weight_files
from transforms.models.folder import check_weights, to_network, to_placement
from transforms.models.pictures import CLIP_MEAN, CLIP_STD, PictureProcessor
from transforms.models.spec import ModelError, ModelSpec, read_options
from transforms.protocols import Vectors

CONFIG_FILE = "open_clip_config.json"
_WEIGHT_NAMES = ("open_clip_model.safetensors", "open_clip_pytorch_model.safetensors")
_FILTERS = {
    "bicubic": Image.Resampling.BICUBIC,
    "bilinear": Image.Resampling.BILINEAR,
}


@dataclass(frozen=True)
class OpenClipOptions(EncoderOptions):
    """As for `clip`, and the architecture, only beside a bare weights file."""

    architecture: str = ""


@dataclass(frozen=True, eq=False)
class OpenClipEncoder:
    """An `Encoder` over an open_clip network; `tokenizer` maps texts to ids of fixed length."""

    network: Any
    tokenizer: Any
    pictures: PictureProcessor
    dimension: int
    options: OpenClipOptions

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
                features = self.network.encode_image(pixels)
                found.append(unit_vectors(features[: len(chunk)]))
        return np.concatenate(found)

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """L2-normalised embeddings of texts, float32 [n, dimension]; long texts are cut."""
        import torch

        found = [np.empty((0, self.dimension), np.float32)]
        for chunk in chunks(texts, self.rows):
            with torch.inference_mode():
                words = self.tokenizer(pad_chunk(chunk, self.rows))
                features = self.network.encode_text(to_network(words, self.network))
                found.append(unit_vectors(features[: len(chunk)]))
        return np.concatenate(found)


def load_open_clip(spec: ModelSpec) -> OpenClipEncoder:
    """The encoder a spec names.

    Raises:
        ModelError: it cannot be loaded; the message says why.
    """
    options = read_options(OpenClipOptions, spec)
    path = locate(spec)
    if path.is_dir() == bool(options.architecture):
        raise ModelError(
            f"{spec.location}: a folder brings its own {CONFIG_FILE}, a bare weights file needs "
            f"the option `architecture`; got architecture {options.architecture!r}"
        )
    weights = _weights(path)
    schema = f"local-dir:{path}" if path.is_dir() else options.architecture
    network = _build(schema, path)
    _fill(network, weights)
    fields = _read_config(path).get("preprocess_cfg", {}) if path.is_dir() else {}
    import open_clip

    return OpenClipEncoder(
        network=to_placement(network, options.placement, path),
        tokenizer=open_clip.get_tokenizer(schema),
        pictures=_picture_processor(network.visual.image_size, fields),
        dimension=_dimension(network),
        options=options,
    )


def _weights(path: Path) -> Path:
    files = weight_files(path)
    # A hub folder may hold the picture tower alone beside the whole network.
    named = [file for name in _WEIGHT_NAMES for file in files if file.name == name]
    if named:
        return named[0]
    if len(files) > 1:
        raise ModelError(f"{path}: more than one weights file and none called {_WEIGHT_NAMES[0]}")
    return files[0]


def _read_config(folder: Path) -> dict[str, Any]:
    path = folder / CONFIG_FILE
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ModelError(f"{folder}: {CONFIG_FILE} is missing") from error
    except ValueError as error:
        raise ModelError(f"{path}: not readable as JSON ({type(error).__name__})") from error
    if not isinstance(fields, dict) or "model_cfg" not in fields:
        raise ModelError(f"{path}: `model_cfg` is missing")
    return fields


def _build(schema: str, path: Path) -> Any:
    if path.is_dir():
        _read_config(path)
    import open_clip

    root = logging.getLogger()
    root.addFilter(_is_not_about_random_weights)
    try:
        return open_clip.create_model(
            schema, load_weights=False, pretrained_text=False, precision="fp32"
        )
    except (RuntimeError, ValueError, TypeError, KeyError) as error:
        words = " ".join(str(error).split())[:160]
        raise ModelError(f"{schema}: no such architecture ({words})") from error
    finally:
        root.removeFilter(_is_not_about_random_weights)


def _is_not_about_random_weights(record: logging.LogRecord) -> bool:
    # The weights come right after, strictly, so open_clip's warning would only mislead.
    return "No pretrained weights loaded" not in record.getMessage()


def _fill(network: Any, weights: Path) -> None:
    import safetensors
    from safetensors.torch import load_file

    try:
        # Loading into float32 parameters widens half-precision weights.
        state = load_file(weights)
        network.load_state_dict(state, strict=True)
    except (RuntimeError, OSError, safetensors.SafetensorError) as error:
        words = " ".join(str(error).split())[:160]
        raise ModelError(f"{weights}: does not fit the architecture ({words})") from error
    check_weights(state, weights)


def _picture_processor(size: int | tuple[int, int], fields: dict[str, Any]) -> PictureProcessor:
    height, width = (size, size) if isinstance(size, int) else size
    mode = fields.get("resize_mode", "shortest")
    filter_name = fields.get("interpolation", "bicubic")
    if mode not in ("shortest", "squash") or filter_name not in _FILTERS:
        raise ModelError(
            f"{CONFIG_FILE}: cannot preprocess with resize_mode {mode!r} and "
            f"interpolation {filter_name!r}"
        )
    return PictureProcessor(
        height=height,
        width=width,
        shortest_edge=max(height, width) if mode == "shortest" else None,
        resample=_FILTERS[filter_name],
        mean=tuple(fields.get("mean", CLIP_MEAN)),
        std=tuple(fields.get("std", CLIP_STD)),
    )


def _dimension(network: Any) -> int:
    return int(network.visual.output_dim)
