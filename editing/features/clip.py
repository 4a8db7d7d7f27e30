"""Networks that look at a picture while gradients pass through it: CLIP, and perceptual features.

The encoders of `transforms.models` take decoded pictures and give numbers; a loss needs the same
networks on tensors. Pictures are float32 NCHW in [-1, 1]; the weights are frozen.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from transforms.models.clip import ClipEncoder, load_clip
from transforms.models.folder import tokenise
from transforms.models.open_clip import OpenClipEncoder, load_open_clip
from transforms.models.pictures import PictureProcessor
from transforms.models.spec import ModelError, ModelSpec, locate, read_options, weight_files

Pictures = Float[Tensor, "b 3 height width"]
Embeddings = Float[Tensor, "b d"]


@runtime_checkable
class ClipSpace(Protocol):
    """CLIP's common space of pictures and texts, differentiable in the pictures."""

    def embed_pictures(self, pictures: Pictures) -> Embeddings:
        """Embeddings of pictures in [-1, 1]; not normalised."""
        ...

    def embed_texts(self, texts: Sequence[str]) -> Embeddings:
        """Embeddings of texts, without gradients; not normalised."""
        ...


@runtime_checkable
class PerceptualFeatures(Protocol):
    """V of equation 10: what two pictures are compared by when pixels would say too much."""

    def __call__(self, pictures: Pictures) -> Float[Tensor, "b ..."]:
        """Features of pictures in [-1, 1]; the size depends on the pictures'."""
        ...


def fit_pictures(pictures: Pictures, processor: PictureProcessor) -> Float[Tensor, "b 3 h w"]:
    """Pictures in [-1, 1] brought to a network's size and normalisation; gradients pass.

    As the processor does with decoded pictures, but resampled by torch (antialiased), which
    differs from Pillow in the last bits. A picture of the network's size is not resampled.
    """
    unit = (pictures.float() + 1) / 2
    if unit.shape[-2:] != (processor.height, processor.width):
        unit = _resize(unit, processor).clamp(0, 1)
    mean = unit.new_tensor(processor.mean).view(1, 3, 1, 1)
    std = unit.new_tensor(processor.std).view(1, 3, 1, 1)
    return (unit * (255 * processor.scale) - mean) / std


def _resize(unit: Tensor, processor: PictureProcessor) -> Tensor:
    height, width = unit.shape[-2:]
    size = (processor.height, processor.width)
    if processor.shortest_edge is None:
        return F.interpolate(unit, size=size, mode="bicubic", antialias=True)
    share = processor.shortest_edge / min(height, width)
    bigger = (max(1, int(height * share)), max(1, int(width * share)))
    unit = F.interpolate(unit, size=bigger, mode="bicubic", antialias=True)
    top, left = (bigger[0] - size[0]) // 2, (bigger[1] - size[1]) // 2
    return unit[..., top : top + size[0], left : left + size[1]]


@dataclass(frozen=True, eq=False)
class TransformersClip:
    """`ClipSpace` of a transformers `CLIPModel`."""

    encoder: ClipEncoder

    def embed_pictures(self, pictures: Pictures) -> Embeddings:
        """Embeddings of pictures in [-1, 1]; gradients pass."""
        fitted = fit_pictures(pictures, self.encoder.pictures)
        output: Tensor = self.encoder.network.get_image_features(fitted).pooler_output
        return output.float()

    @torch.no_grad()
    def embed_texts(self, texts: Sequence[str]) -> Embeddings:
        """Embeddings of texts."""
        network = self.encoder.network
        length = network.config.text_config.max_position_embeddings
        words = tokenise(self.encoder.tokenizer, list(texts), length=length)
        output: Tensor = network.get_text_features(
            input_ids=words["input_ids"].to(network.device),
            attention_mask=words["attention_mask"].to(network.device),
        ).pooler_output
        return output.float()


@dataclass(frozen=True, eq=False)
class OpenClip:
    """`ClipSpace` of an open_clip network."""

    encoder: OpenClipEncoder

    def embed_pictures(self, pictures: Pictures) -> Embeddings:
        """Embeddings of pictures in [-1, 1]; gradients pass."""
        fitted = fit_pictures(pictures, self.encoder.pictures)
        output: Tensor = self.encoder.network.encode_image(fitted)
        return output.float()

    @torch.no_grad()
    def embed_texts(self, texts: Sequence[str]) -> Embeddings:
        """Embeddings of texts."""
        words = self.encoder.tokenizer(list(texts)).to(self.encoder.options.device)
        output: Tensor = self.encoder.network.encode_text(words)
        return output.float()


def load_clip_space(spec: ModelSpec) -> ClipSpace:
    """The CLIP of an encoder's spec, for gradients.

    Raises:
        ModelError: it cannot be loaded; the message says why.
    """
    if spec.loader == "clip":
        return TransformersClip(load_clip(spec))
    if spec.loader == "open_clip":
        return OpenClip(load_open_clip(spec))
    raise ModelError(f"no encoder loader {spec.loader!r}; there are clip, open_clip")


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

    def __call__(self, pictures: Pictures) -> Float[Tensor, "b n d"]:
        """The tokens of the patches, (b, patches, width), layer-normalised."""
        fitted = fit_pictures(pictures, self.pictures)
        output = self.network.vision_model(pixel_values=fitted, output_hidden_states=True)
        tokens: Tensor = output.hidden_states[self.layer][:, 1:]
        return F.layer_norm(tokens.float(), tokens.shape[-1:])


@dataclass(frozen=True, eq=False)
class VggFeatures:
    """relu3_3 of VGG16 (Simonyan and Zisserman 2015), as Johnson et al. (2016) compare pictures."""

    body: Any

    def __call__(self, pictures: Pictures) -> Float[Tensor, "b 256 h w"]:
        """Features of pictures in [-1, 1], ImageNet-normalised, a quarter of their size."""
        unit = (pictures.float() + 1) / 2
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
    if spec.loader not in PERCEPTUAL:
        raise ModelError(f"no perceptual loader {spec.loader!r}; there are {', '.join(PERCEPTUAL)}")
    return PERCEPTUAL[spec.loader](spec)
