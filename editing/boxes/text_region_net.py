"""A network over pictures that sees the text: which box of all suits an edit. With its files."""

import json
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from editing.boxes.geometry import Attention
from editing.boxes.proposals import Proposals
from editing.boxes.region_net import Features, Logits
from editing.features.clip import PatchClipSpace, make_square
from editing.tensors import PictureTensor
from transforms.models.files import locate
from transforms.models.folder import check_folder, check_weights, to_device
from transforms.models.spec import ModelError, ModelSpec, read_options

WEIGHTS, CONFIG = "model.safetensors", "config.json"
MODEL_TYPE = "region_net"
_SHAPE = ("depth", "text_width", "picture_size", "width")
"""What the shape of a `TextRegionNet` is made of, kept beside its weights."""


@dataclass(frozen=True)
class RegionNetOptions:
    """Torch's word for where the network computes."""

    device: str = "cpu"


class TextRegionNet(nn.Module):
    """A network over pictures that sees the text: which box of all suits this edit.

    Ours; the paper fits a network to each picture. Each patch token, with what it has of the
    attention and how much CLIP finds it like each text, is looked at beside the text (a scale and a
    shift from the embeddings of T, of T_ROI and of their difference), pooled over a box, over the
    ring around it and over all else, and judged together with where the box lies. Logits of all
    anchors and sizes go into one softmax, so that one box comes out.

    Without the likeness it would have to learn what every word looks like, of which thousands of
    pairs tell too little (docs/learned_regions.md).

    `depth` numbers a patch come in, embeddings of texts are `text_width` long, and `picture_size`
    is the side in pixels of the pictures it was trained on.
    """

    def __init__(self, *, depth: int, text_width: int, picture_size: int, width: int = 64) -> None:
        super().__init__()
        self.depth, self.text_width, self.width = depth, text_width, width
        self.picture_size = picture_size
        self.see = nn.Sequential(nn.LayerNorm(depth), nn.Linear(depth, width))
        self.attend = nn.Linear(1 + LIKE, width)
        self.read = nn.Sequential(
            nn.LayerNorm(3 * text_width), nn.Linear(3 * text_width, 2 * width), nn.GELU()
        )
        self.modulate = nn.Linear(2 * width, 2 * width)
        self.mix = nn.Sequential(nn.GELU(), nn.Linear(width, width))
        self.judge = nn.Sequential(
            nn.Linear(6 * width + 3 * LIKE + PLACE, 2 * width), nn.GELU(), nn.Linear(2 * width, 1)
        )

    def forward(
        self,
        features: Features,
        attention: Attention,
        asked: "Asked",
        extents: Float[Tensor, "k m 4"],
    ) -> Logits:
        """Logits of boxes, a row an anchor: of one picture, for one edit.

        `extents` is where boxes begin and end as shares of the picture: left, top, right and
        bottom.
        """
        target, phrase = asked.target, asked.phrase
        text = self.read(torch.cat([target, phrase, target - phrase]))
        scale, shift = self.modulate(text).chunk(2)
        share = attention / attention.sum().clamp_min(1e-9)
        like = _standardise(asked.likeness).flatten(1).T
        found = torch.cat([share.flatten()[:, None] * attention.numel(), like], dim=1)
        looked = self.attend(found)
        tokens = self.mix((self.see(features.flatten(1).T) + looked) * (1 + scale) + shift)
        boxes = extents.flatten(0, 1)
        inside = cover(boxes, rows=attention.shape[0], columns=attention.shape[1])
        grown = cover(
            grow(boxes, rows=attention.shape[0], columns=attention.shape[1]),
            rows=attention.shape[0],
            columns=attention.shape[1],
        )
        judged = [
            tokens.where(inside.flatten(1)[..., None] > 0, -torch.inf).amax(1),
            text.expand(len(boxes), -1),
        ]
        for where in (inside, grown - inside, 1 - grown):
            judged += [_mean(tokens, where), _mean(like, where)]
        sides = boxes[:, 2:] - boxes[:, :2]
        held = (inside * share).sum((1, 2))[:, None]
        place = [boxes, sides, sides.prod(1, keepdim=True), held]
        logits: Tensor = self.judge(torch.cat([*judged, *place], dim=1))
        return logits.view(extents.shape[:2])


@dataclass(frozen=True, eq=False)
class Asked:
    """What an edit asks for, beside one picture.

    `target` and `phrase` are the unit embeddings of T, the prompt, and of T_ROI, what it exchanges.
    `likeness` is the cosine of every patch with either, on the backbone's grid.
    """

    target: Float[Tensor, " text"]
    phrase: Float[Tensor, " text"]
    likeness: Float[Tensor, "2 h w"]


LIKE = 2
"""Maps of likeness."""

PLACE = 8
"""Numbers that tell where a box lies: its extent, sides and area, and the attention it holds."""

Extents = Float[Tensor, "n 4"]
Cover = Float[Tensor, "n h w"]


def cover(boxes: Extents, *, rows: int, columns: int) -> Cover:
    """How much of each patch lies in each box, in [0, 1]; boxes are in shares of the picture."""

    def along(first: Tensor, last: Tensor, count: int) -> Tensor:
        begins = torch.arange(count, device=boxes.device)
        first, last = first[:, None] * count, last[:, None] * count
        return (torch.minimum(last, begins + 1) - torch.maximum(first, begins)).clamp(0, 1)

    across = along(boxes[:, 0], boxes[:, 2], columns)
    down = along(boxes[:, 1], boxes[:, 3], rows)
    return down[:, :, None] * across[:, None, :]


def grow(boxes: Extents, *, rows: int, columns: int) -> Extents:
    """Boxes that reach a patch further in every direction, within the picture."""
    further = boxes.new_tensor([-1 / columns, -1 / rows, 1 / columns, 1 / rows])
    return (boxes + further).clamp(0, 1)


def _standardise(maps: Float[Tensor, "n h w"]) -> Float[Tensor, "n h w"]:
    """Maps of mean 0 and deviation 1; 0 where a map is the same everywhere."""
    apart = maps - maps.mean((1, 2), keepdim=True)
    return apart / apart.square().mean((1, 2), keepdim=True).sqrt().clamp_min(1e-6)


def _mean(tokens: Float[Tensor, "p d"], weights: Cover) -> Float[Tensor, "n d"]:
    """The mean of tokens by weights; 0 where there is no weight."""
    flat = weights.flatten(1)
    return flat @ tokens / flat.sum(1, keepdim=True).clamp_min(1e-6)


@torch.no_grad()
def read_edit(
    clip: PatchClipSpace, picture: PictureTensor, *, prompt: str, phrase: str, grid: tuple[int, int]
) -> Asked:
    """What an edit asks for of a picture in [-1, 1]; `grid` are the backbone's rows and columns.

    CLIP sees the picture squeezed to a square; its patches' likeness is resampled to `grid`.

    Raises:
        ModelError: the encoder embeds no patches.
    """
    texts = F.normalize(clip.embed_texts([prompt, phrase]), dim=1).cpu()
    patches = clip.embed_patches(make_square(picture.unsqueeze(0)))[0].cpu()
    likeness = torch.einsum("td,dhw->thw", texts, F.normalize(patches, dim=0))
    resampled = F.interpolate(likeness[None], size=grid, mode="bilinear")[0]
    return Asked(target=texts[0], phrase=texts[1], likeness=resampled)


def choose_box(net: TextRegionNet, proposals: Proposals, asked: Asked) -> Logits:
    """The network's logits of all boxes of a picture, (K, M), on the CPU; gradients pass.

    Raises:
        ModelError: the network was trained beside another backbone or encoder.
    """
    for name, wanted, found in (
        ("the backbone's features", net.depth, len(proposals.features)),
        ("the encoder's embeddings", net.text_width, len(asked.target)),
    ):
        if wanted != found:
            raise ModelError(
                f"the region network takes {wanted} numbers of {name}, got {found}: it was "
                "trained beside another"
            )
    device = next(net.parameters()).device
    texts = Asked(**{name: value.to(device) for name, value in vars(asked).items()})
    features, attention = proposals.features.to(device), proposals.attention.to(device)
    logits: Tensor = net(features, attention, texts, proposals.extents().to(device))
    return logits.cpu()


def save_region_net(net: TextRegionNet, folder: Path) -> None:
    """Writes a network as half-precision safetensors, with its shape beside it."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    state = {name: value.detach().cpu().half() for name, value in net.state_dict().items()}
    save_file(state, str(folder / WEIGHTS))
    shape = {name: getattr(net, name) for name in _SHAPE}
    config = json.dumps({"model_type": MODEL_TYPE, **shape}, indent=2) + "\n"
    (folder / CONFIG).write_text(config, encoding="utf-8")


def load_region_net(spec: ModelSpec) -> TextRegionNet:
    """The network that `save_region_net` wrote, in evaluation mode and without gradients.

    Raises:
        ModelError: it cannot be loaded; the message says why.
    """
    import safetensors
    from safetensors.torch import load_file

    options = read_options(RegionNetOptions, spec)
    folder = locate(spec)
    check_folder(folder, model_type=MODEL_TYPE)
    config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    for name in _SHAPE:
        if type(config.get(name)) is not int or config[name] < 1:
            raise ModelError(
                f"{folder / CONFIG}: {name} must be a whole number of at least 1, "
                f"got {config.get(name)!r}"
            )
    path = folder / WEIGHTS
    try:
        state = {name: value.float() for name, value in load_file(str(path)).items()}
    except (OSError, safetensors.SafetensorError) as error:
        raise ModelError(f"{path}: cannot be loaded ({type(error).__name__})") from error
    check_weights(state, folder)
    net = TextRegionNet(**{name: config[name] for name in _SHAPE})
    try:
        net.load_state_dict(state)
    except RuntimeError as error:
        words = " ".join(str(error).split())[:160]
        raise ModelError(f"{path}: does not fit a region network ({words})") from error
    loaded: TextRegionNet = to_device(net, options.device)
    return loaded
