"""Regions by a network that sees the picture and the text: one box, in one pass."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from editing.features.backbone import Backbone
from editing.features.clip import ClipSpace
from editing.pictures import picture_to_tensor, resize, working_sides
from editing.regions.boxes import Box
from editing.regions.learned_spec import LearnedSettings
from editing.regions.proposals import Proposals, propose
from editing.regions.region_net import Logits, TextRegionNet
from editing.requests import Request
from transforms.models.folder import check_weights, to_device
from transforms.models.spec import ModelError, ModelSpec, locate, read_options, weight_files

WEIGHTS = "model.safetensors"
_SHAPE = ("depth", "text_width", "picture_size", "width")
"""What the shape of a `TextRegionNet` is made of, kept in its weights' file."""


@dataclass(frozen=True)
class RegionNetOptions:
    """Torch's word for where the network computes."""

    device: str = "cpu"


@dataclass(frozen=True, eq=False, kw_only=True)
class LearnedRegions:
    """The box of a picture that a trained network finds best for an edit.

    It looks where the backbone looks, and reads the prompt and the words that are exchanged.
    """

    backbone: Backbone
    clip: ClipSpace
    net: TextRegionNet
    settings: LearnedSettings

    def find(
        self, requests: Sequence[Request], generators: Sequence[torch.Generator]
    ) -> list[Image.Image]:
        """The box of each request; nothing in it is random.

        Raises:
            EditError: a request does not say what may change, or there are too few anchors.
        """
        return [self._find(request) for request in requests]

    def _find(self, request: Request) -> Image.Image:
        size = working_sides(
            request.image.size,
            shorter=self.net.picture_size,
            multiple=self.backbone.patch_size,
        )
        picture = picture_to_tensor(resize(request.image, size))
        proposals = propose(
            self.backbone,
            picture,
            anchors=self.settings.box_anchors,
            sizes=self.settings.box_sizes,
        )
        with torch.no_grad():
            target, phrase = embed_words(self.clip, [request.prompt, request.phrase()])
            logits = choose_box(self.net, proposals, target, phrase)
        box = best_box(logits, proposals)
        return draw_box(box.scaled(size, request.image.size), request.image.size)


def embed_words(clip: ClipSpace, texts: Sequence[str]) -> Float[Tensor, "n d"]:
    """Unit embeddings of texts, on the CPU."""
    return F.normalize(clip.embed_texts(texts), dim=1).cpu()


def choose_box(
    net: TextRegionNet,
    proposals: Proposals,
    target: Float[Tensor, " d"],
    phrase: Float[Tensor, " d"],
) -> Logits:
    """The network's logits of all boxes of a picture, (K, M), on the CPU; gradients pass.

    `target` and `phrase` are unit embeddings of the prompt and of what it exchanges.
    """
    device = next(net.parameters()).device
    some = (value.to(device) for value in (proposals.features, target, phrase))
    features, wanted, roi = some
    return net(features, wanted, roi, proposals.cells()).cpu()


def best_box(logits: Logits, proposals: Proposals) -> Box:
    """The likeliest of all boxes."""
    anchor, size = divmod(int(logits.argmax()), logits.shape[1])
    return proposals.boxes[anchor][size]


def draw_box(box: Box, size: tuple[int, int]) -> Image.Image:
    """A box as the mask (L, 0 or 255) of a picture of `size` (width, height)."""
    mask = Image.new("L", size)
    mask.paste(255, (box.left, box.top, box.right, box.bottom))
    return mask


def save_region_net(net: TextRegionNet, folder: Path) -> None:
    """Writes a network as half-precision safetensors that know its shape."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    state = {name: value.detach().cpu().half() for name, value in net.state_dict().items()}
    shape = {name: str(getattr(net, name)) for name in _SHAPE}
    save_file(state, str(folder / WEIGHTS), metadata=shape)


def load_region_net(spec: ModelSpec) -> TextRegionNet:
    """The network that `save_region_net` wrote, in evaluation mode and without gradients.

    Raises:
        ModelError: it cannot be loaded; the message says why.
    """
    import safetensors

    options = read_options(RegionNetOptions, spec)
    folder = locate(spec)
    (path, *more) = weight_files(folder)
    if more:
        raise ModelError(f"{folder}: a region network has one file of weights, got {1 + len(more)}")
    try:
        with safetensors.safe_open(str(path), framework="pt") as file:
            shape = {name: int(file.metadata()[name]) for name in _SHAPE}
            state = {name: file.get_tensor(name).float() for name in file.keys()}
    except (OSError, KeyError, TypeError, ValueError, safetensors.SafetensorError) as error:
        raise ModelError(f"{path}: no region network ({type(error).__name__})") from error
    check_weights(state, folder)
    net = TextRegionNet(**shape)
    try:
        net.load_state_dict(state)
    except RuntimeError as error:
        words = " ".join(str(error).split())[:160]
        raise ModelError(f"{path}: does not fit a region network ({words})") from error
    loaded: TextRegionNet = to_device(net, options.device)
    return loaded
