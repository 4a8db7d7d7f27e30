"""Adaptation heads: one linear layer for pictures and one for texts, over a frozen encoder.

Section 3.3.3 of Couairon's thesis. What an encoder's embeddings are good for, retrieval by words,
is not what arithmetic with them needs; heads bring them into a space that suits it better. They are
small, so they are kept and applied without a network library.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from transforms.models.files import locate
from transforms.models.folder import check_folder, read_config
from transforms.models.spec import ModelError, ModelSpec, read_options
from transforms.protocols import Vectors

LOADER = "adaptation_heads"
WEIGHTS, CONFIG = "model.safetensors", "config.json"
TENSORS = ("image_weight", "image_bias", "text_weight", "text_bias")

Wide = npt.NDArray[np.float64]


@dataclass(frozen=True)
class HeadOptions:
    """Where the networks beside them compute; heads are small and compute on the processor."""

    device: str = "cpu"


@dataclass(frozen=True, eq=False, kw_only=True)
class AdaptationHeads:
    """Two affine maps, y = W x + b and then brought to unit length; the numbers are float32.

    Weights are (width, dimension), biases (width,). `encoder` is the identity of the encoder they
    were trained over, `about` what else is said of how they were trained.
    """

    image_weight: Vectors
    image_bias: Vectors
    text_weight: Vectors
    text_bias: Vectors
    encoder: str
    about: Mapping[str, Any]

    @property
    def dimension(self) -> int:
        """Length of the embeddings that they take."""
        return int(self.image_weight.shape[1])

    @property
    def width(self) -> int:
        """Length of the vectors that they give."""
        return int(self.image_weight.shape[0])

    def adapt_images(self, embeddings: Vectors | Wide) -> Wide:
        """Embeddings of pictures (n, dimension) in the heads' space: (n, width), of unit length."""
        return _adapt(embeddings, self.image_weight, self.image_bias)

    def adapt_texts(self, embeddings: Vectors | Wide) -> Wide:
        """Embeddings of texts (n, dimension) in the heads' space: (n, width), of unit length."""
        return _adapt(embeddings, self.text_weight, self.text_bias)

    def unfold(self, queries: Vectors) -> Vectors:
        """Queries of the heads' space (n, width) as directions of the encoder's (n, dimension).

        (W x + b) q = x (W^T q) + b q, and b q is the same for all pictures: an index of the
        encoder's embeddings proposes by these what is near a query in the heads' space, but for the
        lengths of W x + b. They are of unit length, float32.
        """
        folded = queries.astype(np.float64) @ self.image_weight.astype(np.float64)
        unit: Vectors = _unit(folded).astype(np.float32)
        return unit

    def require_encoder(self, identity: str) -> None:
        """Make sure that they were trained over the encoder of that identity.

        Raises:
            ModelError: they were trained over another.
        """
        if identity != self.encoder:
            raise ModelError(
                f"the adaptation heads were trained over the encoder {self.encoder}, not {identity}"
            )


def _adapt(embeddings: Vectors | Wide, weight: Vectors, bias: Vectors) -> Wide:
    """Summed row by row: a row depends on nothing that stands beside it, as in a matrix product."""
    wide, matrix = embeddings.astype(np.float64), weight.astype(np.float64)
    found = np.empty((len(wide), len(matrix)), np.float64)
    for row, vector in enumerate(wide):
        found[row] = (matrix * vector).sum(axis=1) + bias
    return _unit(found)


def _unit(rows: Wide) -> Wide:
    lengths = np.sqrt((rows * rows).sum(axis=1, keepdims=True))
    scaled: Wide = rows / np.where(lengths > 0, lengths, 1.0)
    return scaled


def save_heads(heads: AdaptationHeads, folder: Path) -> None:
    """Writes heads as safetensors, with the encoder they belong to in `config.json` beside them."""
    from safetensors.numpy import save_file

    folder.mkdir(parents=True, exist_ok=True)
    save_file({n: np.ascontiguousarray(getattr(heads, n)) for n in TENSORS}, str(folder / WEIGHTS))
    config = {
        "model_type": LOADER,
        "encoder": heads.encoder,
        "dimension": heads.dimension,
        "width": heads.width,
        **heads.about,
    }
    (folder / CONFIG).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def load_heads(spec: ModelSpec) -> AdaptationHeads:
    """The heads that `save_heads` wrote.

    Raises:
        ModelError: they cannot be loaded; the message says why.
    """
    import safetensors
    from safetensors.numpy import load_file

    read_options(HeadOptions, spec)
    folder = locate(spec)
    check_folder(folder, model_type=LOADER)
    config = read_config(folder)
    path = folder / WEIGHTS
    if not isinstance(config.get("encoder"), str):
        raise ModelError(f"{folder / CONFIG}: must name the encoder, got {config.get('encoder')!r}")
    try:
        state = load_file(str(path))
    except (OSError, safetensors.SafetensorError) as error:
        raise ModelError(f"{path}: cannot be loaded ({type(error).__name__})") from error
    _check_tensors(state, path)
    known = ("model_type", "encoder", "dimension", "width")
    return AdaptationHeads(
        **{name: state[name].astype(np.float32) for name in TENSORS},
        encoder=config["encoder"],
        about={name: value for name, value in config.items() if name not in known},
    )


def _check_tensors(state: Mapping[str, npt.NDArray[Any]], path: Path) -> None:
    missing = [name for name in TENSORS if name not in state]
    if missing:
        raise ModelError(f"{path}: lacks the tensor {missing[0]}")
    for name in TENSORS:
        if not np.isfinite(state[name]).all():
            raise ModelError(f"{path}: the tensor {name} holds numbers that are not finite")
    shape = state[TENSORS[0]].shape
    if len(shape) != 2:
        raise ModelError(f"{path}: image_weight must have two dimensions, got {len(shape)}")
    wanted = {"image_bias": shape[:1], "text_weight": shape, "text_bias": shape[:1]}
    for name, each in wanted.items():
        if state[name].shape != each:
            raise ModelError(f"{path}: {name} must have shape {each}, got {state[name].shape}")
