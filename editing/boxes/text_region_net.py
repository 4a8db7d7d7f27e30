"""A network over pictures that sees the text: which box of all suits an edit. With its files."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from editing.boxes.geometry import Box
from editing.boxes.proposals import Proposals
from editing.boxes.region_net import Features, Logits
from editing.features.clip import ClipSpace
from transforms.models.folder import check_weights, to_device
from transforms.models.spec import ModelError, ModelSpec, locate, read_options, weight_files

WEIGHTS = "model.safetensors"
_SHAPE = ("depth", "text_width", "picture_size", "width")
"""What the shape of a `TextRegionNet` is made of, kept in its weights' file."""


@dataclass(frozen=True)
class RegionNetOptions:
    """Torch's word for where the network computes."""

    device: str = "cpu"


class TextRegionNet(nn.Module):
    """A network over pictures that sees the text: which box of all suits this edit.

    Ours; the paper fits a network to each picture. Each patch token is looked at beside the text (a
    scale and a shift from the embeddings of T, of T_ROI and of their difference), pooled over a box
    and over its surroundings, and judged together with where the box lies. Logits of all anchors
    and sizes go into one softmax, so that one box comes out.

    `depth` numbers a patch come in, embeddings of texts are `text_width` long, and `picture_size`
    is the side in pixels of the pictures it was trained on.
    """

    def __init__(self, *, depth: int, text_width: int, picture_size: int, width: int = 64) -> None:
        super().__init__()
        self.depth, self.text_width, self.width = depth, text_width, width
        self.picture_size = picture_size
        self.see = nn.Sequential(nn.LayerNorm(depth), nn.Linear(depth, width))
        self.read = nn.Sequential(
            nn.LayerNorm(3 * text_width), nn.Linear(3 * text_width, 2 * width), nn.GELU()
        )
        self.modulate = nn.Linear(2 * width, 2 * width)
        self.mix = nn.Sequential(nn.GELU(), nn.Linear(width, width))
        self.judge = nn.Sequential(
            nn.Linear(5 * width + PLACE, 2 * width), nn.GELU(), nn.Linear(2 * width, 1)
        )

    def forward(
        self,
        features: Features,
        target: Float[Tensor, " text"],
        phrase: Float[Tensor, " text"],
        cells: Sequence[Sequence[Box]],
    ) -> Logits:
        """Logits of boxes, a row an anchor: of one picture, for one edit.

        `target` and `phrase` are the unit embeddings of T and T_ROI, `cells` the boxes of each
        anchor in (column, row) of the grid.
        """
        rows, columns = features.shape[1:]
        text = self.read(torch.cat([target, phrase, target - phrase]))
        scale, shift = self.modulate(text).chunk(2)
        tokens = self.see(features.flatten(1).T) * (1 + scale) + shift
        mixed = self.mix(tokens).T.view(self.width, rows, columns)
        boxes = [box for some in cells for box in some]
        judged = torch.cat([_look(mixed, boxes), text.expand(len(boxes), -1)], dim=1)
        place = features.new_tensor([_place(box, rows, columns) for box in boxes])
        logits: Tensor = self.judge(torch.cat([judged, place], dim=1))
        return logits.view(len(cells), -1)


PLACE = 7
"""Numbers that tell where a box lies."""


def _place(box: Box, rows: int, columns: int) -> tuple[float, ...]:
    left, right = box.left / columns, box.right / columns
    top, bottom = box.top / rows, box.bottom / rows
    area = (right - left) * (bottom - top)
    return left, right, top, bottom, right - left, bottom - top, area


def _look(mixed: Float[Tensor, "d h w"], boxes: Sequence[Box]) -> Float[Tensor, "n three_d"]:
    """Largest and mean feature inside each box, and the mean outside (0 where there is none)."""
    height, width = mixed.shape[1:]
    everything = mixed.sum((1, 2))
    rows = []
    for box in boxes:
        inside = mixed[:, box.top : box.bottom, box.left : box.right]
        cells = inside[0].numel()
        total = inside.sum((1, 2))
        outside = (everything - total) / max(1, height * width - cells)
        rows.append(torch.cat([inside.amax((1, 2)), total / cells, outside]))
    return torch.stack(rows)


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
    logits: Tensor = net(features, wanted, roi, proposals.cells())
    return logits.cpu()


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
            state = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
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
