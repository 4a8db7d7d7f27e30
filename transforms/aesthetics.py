"""An aesthetic score: a trained head on the embeddings of an encoder, read from safetensors.

Such heads are published for OpenAI's CLIP: LAION's first predictor is one linear layer, its
improved one several with nothing between them. Any chain of linear layers will do.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from indexes.errors import PairloomError
from transforms.protocols import Vectors

_WEIGHT = re.compile(r"(?:.*?\.)?(?:(\d+)\.)?weight")

Matrix = npt.NDArray[np.float32]


class AestheticHeadError(PairloomError):
    """A file that holds no head for these embeddings, in one line."""


@dataclass(frozen=True, eq=False)
class AestheticHead:
    """Linear layers one after another: `layers` are weights (out, in) and biases (out,)."""

    layers: tuple[tuple[Matrix, Matrix], ...]

    @property
    def dimension(self) -> int:
        """The dimension of the embeddings it takes."""
        return int(self.layers[0][0].shape[1])

    def score(self, embeddings: Vectors) -> list[float]:
        """The score of each unit embedding, float32 (n, d); LAION's heads give about 1 to 10.

        Raises:
            AestheticHeadError: the embeddings are of another dimension.
        """
        if embeddings.shape[1] != self.dimension:
            raise AestheticHeadError(
                f"the aesthetic head takes embeddings of dimension {self.dimension}, got "
                f"{embeddings.shape[1]}: it was trained on another encoder"
            )
        values = embeddings.astype(np.float64)
        for weight, bias in self.layers:
            values = values @ weight.T.astype(np.float64) + bias
        return [float(np.float32(value)) for value in values[:, 0]]


def load_head(path: Path) -> AestheticHead:
    """The head in a file of safetensors: `weight` and `bias`, or `N.weight` and `N.bias` by N.

    What stands before N, as in `layers.0.weight`, is not looked at.

    Raises:
        AestheticHeadError: it cannot be read, or its layers do not follow one another to one score.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        tensors = load_file(path)
    except (SafetensorError, OSError) as error:
        raise AestheticHeadError(f"{path} cannot be read as safetensors: {error}") from error
    layers = _order_layers(tensors, path)
    width = layers[0][0].shape[1] if layers else 0
    for weight, bias in layers:
        if weight.shape[1] != width or bias.shape != weight.shape[:1]:
            raise AestheticHeadError(f"{path}: linear layers must follow one another")
        width = weight.shape[0]
    if width != 1:
        raise AestheticHeadError(f"{path} must hold linear layers that end in one score")
    return AestheticHead(tuple(layers))


def _order_layers(
    tensors: Mapping[str, npt.NDArray[np.generic]], path: Path
) -> list[tuple[Matrix, Matrix]]:
    found: list[tuple[int, Matrix, Matrix]] = []
    for name, tensor in tensors.items():
        match = _WEIGHT.fullmatch(name)
        if match is None:
            continue
        bias = tensors.get(f"{name.removesuffix('weight')}bias")
        if tensor.ndim != 2 or bias is None:
            raise AestheticHeadError(f"{path}: {name} must be a matrix with a bias beside it")
        number = int(match[1]) if match[1] else 0
        found.append((number, tensor.astype(np.float32), bias.astype(np.float32)))
    return [(weight, bias) for _, weight, bias in sorted(found, key=lambda layer: layer[0])]
