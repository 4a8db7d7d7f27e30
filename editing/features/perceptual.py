"""Perceptual features: what two pictures are compared by when pixels would say too much.

Pictures are float32 NCHW in [-1, 1]; the weights are frozen, gradients pass.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from editing.features.clip import fit_pictures
from editing.tensors import PictureBatch
from transforms.models.clip import load_clip
from transforms.models.files import locate, weight_files
from transforms.models.folder import check_weights
from transforms.models.loading import load_by
from transforms.models.pictures import PictureProcessor
from transforms.models.spec import ModelError, ModelSpec, read_options


@runtime_checkable
class PerceptualFeatures(Protocol):
    """V of equation 10: what two pictures are compared by when pixels would say too much."""

    def __call__(self, pictures: PictureBatch) -> Float[Tensor, "b ..."]:
        """Features of pictures in [-1, 1]; the size depends on the pictures'."""
        ...


@dataclass(frozen=True)
class PerceptualOptions:
    """Torch device; `layer` counts hidden layers of a CLIP vision tower from 1."""

    device: str = "cpu"
    layer: int = 3


@dataclass(frozen=True, eq=False)
class ClipLayerFeatures:
    """Patch tokens of a hidden layer of a CLIP vision tower, for worlds that VGG does not know."""

    network: Any
    pictures: PictureProcessor
    layer: int

    def __call__(self, pictures: PictureBatch) -> Float[Tensor, "b n d"]:
        """The tokens of the patches, (b, patches, width), layer-normalised."""
        fitted = fit_pictures(pictures.to(self.network.device), self.pictures)
        output = self.network.vision_model(pixel_values=fitted, output_hidden_states=True)
        tokens: Tensor = output.hidden_states[self.layer][:, 1:]
        return F.layer_norm(tokens.float(), tokens.shape[-1:])


@dataclass(frozen=True, eq=False)
class VggFeatures:
    """relu3_3 of VGG16 (Simonyan and Zisserman 2015), as Johnson et al. (2016) compare pictures."""

    body: Any

    def __call__(self, pictures: PictureBatch) -> Float[Tensor, "b 256 h w"]:
        """Features of pictures in [-1, 1], ImageNet-normalised, a quarter of their size."""
        device = next(self.body.parameters()).device
        unit = (pictures.to(device).float() + 1) / 2
        mean = unit.new_tensor((0.485, 0.456, 0.406)).view(1, 3, 1, 1)
        std = unit.new_tensor((0.229, 0.224, 0.225)).view(1, 3, 1, 1)
        features: Tensor = self.body((unit - mean) / std)
        return features


VGG_LAYERS = 16
"""Layers of torchvision's `vgg16().features` up to and including relu3_3."""


def load_vgg16(spec: ModelSpec) -> VggFeatures:
    """VGG16's features from safetensors in torchvision's names (`features.0.weight`, ...).

    Raises:
        ModelError: they cannot be loaded; the message says why.
    """
    from safetensors.torch import load_file
    from torchvision.models import vgg16

    options = read_options(PerceptualOptions, spec)
    path = locate(spec)
    body = vgg16(weights=None).features[:VGG_LAYERS]
    state = {
        name.removeprefix("features."): value
        for file in weight_files(path)
        for name, value in load_file(file).items()
    }
    check_weights(state, path)
    wanted = body.state_dict().keys()
    lacking = sorted(wanted - state.keys())
    if lacking:
        raise ModelError(f"{path}: the weights lack features.{lacking[0]}")
    try:
        body.load_state_dict({name: state[name] for name in wanted})
    except RuntimeError as error:
        words = " ".join(str(error).split())[:160]
        raise ModelError(f"{path}: does not fit VGG16 ({words})") from error
    return VggFeatures(body.eval().requires_grad_(requires_grad=False).to(options.device))


def load_clip_layer(spec: ModelSpec) -> ClipLayerFeatures:
    """The tokens of a hidden layer of the CLIP that `spec` names.

    Raises:
        ModelError: it cannot be loaded, or has no such layer.
    """
    options = read_options(PerceptualOptions, spec)
    encoder = load_clip(ModelSpec(loader="clip", location=spec.location, revision=spec.revision))
    layers = encoder.network.config.vision_config.num_hidden_layers
    if not 1 <= options.layer <= layers:
        raise ModelError(f"{spec.location}: layer must be in [1, {layers}], got {options.layer}")
    return ClipLayerFeatures(
        network=encoder.network.to(options.device), pictures=encoder.pictures, layer=options.layer
    )


PERCEPTUAL: Mapping[str, Callable[[ModelSpec], PerceptualFeatures]] = {
    "vgg16": load_vgg16,
    "clip_layer": load_clip_layer,
}


def load_perceptual(spec: ModelSpec) -> PerceptualFeatures:
    """The perceptual network of a spec.

    Raises:
        ModelError: it cannot be loaded; the message says why.
    """
    return load_by(spec, PERCEPTUAL, "perceptual")
