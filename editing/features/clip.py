"""CLIP on tensors, while gradients pass through the pictures.

The encoders of `transforms.models` take decoded pictures and give numbers; a loss needs the same
networks on tensors. Pictures are float32 NCHW in [-1, 1]; the weights are frozen.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from editing.tensors import Embeddings, PictureBatch
from transforms.models.clip import ClipEncoder, EncoderOptions, load_clip
from transforms.models.clipseg import load_clipseg
from transforms.models.folder import to_network, tokenise
from transforms.models.open_clip import OpenClipEncoder, load_open_clip
from transforms.models.pictures import PictureProcessor
from transforms.models.spec import ModelError, ModelSpec

Tokens = Float[Tensor, "b n d_token"]
"""What a vision tower makes of each of n patches."""

PatchEmbeddings = Float[Tensor, "b d rows columns"]

MOST_TIMES_LONG = 16
"""How many times as long as wide what is resized may be, where the middle is cut out after."""


@runtime_checkable
class ClipSpace(Protocol):
    """CLIP's common space of pictures and texts, differentiable in the pictures.

    Pictures may lie on any device; what comes out lies where the network computes.
    """

    def embed_pictures(self, pictures: PictureBatch) -> Embeddings:
        """Embeddings of pictures in [-1, 1]; not normalised."""
        ...

    def embed_texts(self, texts: Sequence[str]) -> Embeddings:
        """Embeddings of texts, without gradients; not normalised."""
        ...


@runtime_checkable
class PatchClipSpace(ClipSpace, Protocol):
    """A `ClipSpace` that also tells what its vision tower makes of each patch."""

    def embed_with_tokens(self, pictures: PictureBatch) -> tuple[Embeddings, Tokens]:
        """`embed_pictures`, and the tokens of the patches after the last layer."""
        ...

    def embed_patches(self, pictures: PictureBatch) -> PatchEmbeddings:
        """Where patches lie in the space of pictures and texts, without gradients.

        A patch's last token goes the way from the tower to the space that the picture's own goes;
        not normalised. Patches are those of the picture as the network's processor cuts it.
        """
        ...


def make_square(pictures: PictureBatch) -> Float[Tensor, "b 3 side side"]:
    """Pictures squeezed to a square of their shorter side, where they are none.

    CLIP's own processing cuts the middle out, and would not see what lies beside it.
    """
    height, width = pictures.shape[-2:]
    if height == width:
        return pictures
    side = min(height, width)
    return F.interpolate(pictures, size=(side, side), mode="bicubic", antialias=True).clamp(-1, 1)


def fit_pictures(pictures: PictureBatch, processor: PictureProcessor) -> Float[Tensor, "b 3 h w"]:
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
    # Of a strip the middle alone is looked at; the rest would cost memory without bound.
    longest = MOST_TIMES_LONG * min(height, width)
    if max(height, width) > longest:
        top, left = (max(0, side - longest) // 2 for side in (height, width))
        unit = unit[..., top : top + longest, left : left + longest]
        height, width = unit.shape[-2:]
    share = processor.shortest_edge / min(height, width)
    bigger = (max(1, int(height * share)), max(1, int(width * share)))
    unit = F.interpolate(unit, size=bigger, mode="bicubic", antialias=True)
    top, left = (bigger[0] - size[0]) // 2, (bigger[1] - size[1]) // 2
    return unit[..., top : top + size[0], left : left + size[1]]


@dataclass(frozen=True, eq=False)
class TransformersClip:
    """`ClipSpace` of a transformers `CLIPModel`."""

    encoder: ClipEncoder

    def embed_pictures(self, pictures: PictureBatch) -> Embeddings:
        """Embeddings of pictures in [-1, 1]; gradients pass."""
        output: Tensor = self.encoder.network.get_image_features(self._fit(pictures)).pooler_output
        return output.float()

    def embed_with_tokens(self, pictures: PictureBatch) -> tuple[Embeddings, Tokens]:
        """Embeddings of pictures in [-1, 1], and the last layer's patch tokens; gradients pass."""
        network = self.encoder.network
        output = network.vision_model(pixel_values=self._fit(pictures))
        embeddings: Tensor = network.visual_projection(output.pooler_output)
        tokens: Tensor = output.last_hidden_state[:, 1:]
        return embeddings.float(), tokens.float()

    @torch.no_grad()
    def embed_patches(self, pictures: PictureBatch) -> PatchEmbeddings:
        """Where patches of pictures in [-1, 1] lie in the common space."""
        _, tokens = self.embed_with_tokens(pictures)
        network = self.encoder.network
        inside = network.vision_model.post_layernorm(tokens.to(network.dtype))
        embedded: Tensor = network.visual_projection(inside)
        rows = self.encoder.pictures.height // network.config.vision_config.patch_size
        grid: PatchEmbeddings = embedded.float().mT.unflatten(2, (rows, -1))
        return grid

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

    def _fit(self, pictures: PictureBatch) -> Tensor:
        network = self.encoder.network
        fitted = fit_pictures(pictures.to(network.device), self.encoder.pictures)
        return to_network(fitted, network)


@dataclass(frozen=True, eq=False)
class OpenClip:
    """`ClipSpace` of an open_clip network."""

    encoder: OpenClipEncoder

    def embed_pictures(self, pictures: PictureBatch) -> Embeddings:
        """Embeddings of pictures in [-1, 1]; gradients pass."""
        output: Tensor = self.encoder.network.encode_image(self._fit(pictures))
        return output.float()

    def embed_with_tokens(self, pictures: PictureBatch) -> tuple[Embeddings, Tokens]:
        """Embeddings of pictures in [-1, 1], and the last layer's patch tokens; gradients pass.

        Raises:
            ModelError: the tower is none of patches.
        """
        tower = self.encoder.network.visual
        if not hasattr(tower, "forward_intermediates"):
            raise ModelError(f"open_clip's {type(tower).__name__} gives no tokens of patches")
        found = tower.forward_intermediates(self._fit(pictures), indices=1, output_fmt="NLC")
        embeddings: Tensor = found["image_features"]
        tokens: Tensor = found["image_intermediates"][-1]
        return embeddings.float(), tokens.float()

    @torch.no_grad()
    def embed_patches(self, pictures: PictureBatch) -> PatchEmbeddings:
        """Where patches of pictures in [-1, 1] lie in the common space.

        Raises:
            ModelError: the tower is none of open_clip's own transformers.
        """
        tower = self.encoder.network.visual
        if not hasattr(tower, "ln_post"):
            raise ModelError(f"open_clip's {type(tower).__name__} embeds no patches")
        _, tokens = self.embed_with_tokens(pictures)
        embedded = tower.ln_post(tokens.to(tower.ln_post.weight.dtype))
        if tower.proj is not None:
            embedded = embedded @ tower.proj
        rows, columns = tower.grid_size
        grid: PatchEmbeddings = embedded.float().mT.unflatten(2, (rows, columns))
        return grid

    @torch.no_grad()
    def embed_texts(self, texts: Sequence[str]) -> Embeddings:
        """Embeddings of texts."""
        words = to_network(self.encoder.tokenizer(list(texts)), self.encoder.network)
        output: Tensor = self.encoder.network.encode_text(words)
        return output.float()

    def _fit(self, pictures: PictureBatch) -> Tensor:
        network = self.encoder.network
        device = next(network.parameters()).device
        fitted = fit_pictures(pictures.to(device), self.encoder.pictures)
        return to_network(fitted, network)


def _transformers_clip(spec: ModelSpec) -> PatchClipSpace:
    return TransformersClip(load_clip(spec))


def _open_clip(spec: ModelSpec) -> PatchClipSpace:
    return OpenClip(load_open_clip(spec))


def _clipseg(spec: ModelSpec) -> PatchClipSpace:
    """The CLIP inside of a CLIPSeg, at the size that its table of positions is for."""
    found = load_clipseg(spec)
    network = found.network.clip
    side = network.config.vision_config.image_size
    pictures = dataclasses.replace(found.pictures, height=side, width=side)
    options = EncoderOptions(device=found.options.device, dtype=found.options.dtype)
    return TransformersClip(ClipEncoder(network, found.tokenizer, pictures, options))


CLIP_SPACES: Mapping[str, Callable[[ModelSpec], PatchClipSpace]] = {
    "clip": _transformers_clip,
    "open_clip": _open_clip,
    "clipseg": _clipseg,
}
"""How a model of each loader, an encoder or one that holds an encoder, is loaded for gradients."""


def load_clip_space(spec: ModelSpec) -> PatchClipSpace:
    """The CLIP of an encoder's spec, for gradients.

    Raises:
        ModelError: it cannot be loaded; the message says why.
    """
    if spec.loader not in CLIP_SPACES:
        raise ModelError(
            f"no encoder loader {spec.loader!r} with gradients; there are {', '.join(CLIP_SPACES)}"
        )
    return CLIP_SPACES[spec.loader](spec)
