"""Pictures into a network's numbers, as the processor file beside its weights says.

The resampling is Pillow's, which the published networks were trained with; a picture that already
has the network's size is not resampled at all.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from transforms.models.folder import to_network
from transforms.models.spec import ModelError
from transforms.resizing import cut_ends, resize_cheaply

if TYPE_CHECKING:
    import torch

Triple = tuple[float, float, float]

CLIP_MEAN: Triple = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD: Triple = (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True, kw_only=True)
class PictureProcessor:
    """Resize, crop and normalise.

    Either `shortest_edge` is given (the shorter side becomes that long, the aspect is kept, then
    the middle `height` x `width` is cut out; of more than 50 to 1 the ends are cut off first), or
    it is None and the picture is resized to `height` x `width` without regard to its aspect.
    `resample` is Pillow's number of the filter. A channel value v in 0..255 becomes
    (v * scale - mean) / std.
    """

    height: int
    width: int
    shortest_edge: int | None = None
    resample: int = Image.Resampling.BICUBIC
    scale: float = 1 / 255
    mean: Triple = CLIP_MEAN
    std: Triple = CLIP_STD

    def __post_init__(self) -> None:
        if self.height < 1 or self.width < 1:
            raise ModelError(f"picture size must be positive, got {self.height} x {self.width}")
        if self.shortest_edge is not None and self.shortest_edge < max(self.height, self.width):
            raise ModelError(
                f"shortest_edge {self.shortest_edge} is smaller than "
                f"the crop {self.height} x {self.width}"
            )

    def __call__(self, images: Sequence[Image.Image]) -> "torch.Tensor":
        """RGB pictures of any sizes as float32 [n, 3, height, width]."""
        import torch

        table = self._values()
        rows = np.empty((len(images), 3, self.height, self.width), np.float32)
        for row, image in zip(rows, images, strict=True):
            pixels = np.asarray(self.fit(image))
            for channel in range(3):
                np.take(table[:, channel], pixels[:, :, channel], out=row[channel])
        return torch.from_numpy(rows)

    def for_network(self, images: Sequence[Image.Image], network: Any) -> "torch.Tensor":
        """The same where `network` computes, in its own precision.

        A card gets bytes and looks the values up itself: they are the same to the last bit, and a
        processor that serves it would have been busy with them longer than the card with the rest.
        """
        if next(network.parameters()).device.type == "cpu":
            return to_network(self(images), network)
        return to_network(self.on_device(images, next(network.parameters()).device), network)

    def on_device(self, images: Sequence[Image.Image], device: "torch.device") -> "torch.Tensor":
        """What calling gives, float32 [n, 3, height, width], looked up on `device`."""
        import torch

        stacked = np.empty((len(images), self.height, self.width, 3), np.uint8)
        for row, image in zip(stacked, images, strict=True):
            row[:] = np.asarray(self.fit(image))
        pixels = torch.from_numpy(stacked).to(device)
        table = torch.from_numpy(self._values()).to(device)
        shape = (len(images), self.height, self.width)
        rows = [
            table[:, channel].index_select(0, pixels[..., channel].int().flatten()).view(shape)
            for channel in range(3)
        ]
        return torch.stack(rows, dim=1)

    def _values(self) -> npt.NDArray[np.float32]:
        """A channel has 256 values: each is reckoned once, and looked up for every point."""
        values = np.arange(256, dtype=np.float32)[:, None] * np.float32(self.scale)
        table: npt.NDArray[np.float32] = values - np.asarray(self.mean, np.float32)
        table /= np.asarray(self.std, np.float32)
        return table

    def fit(self, image: Image.Image) -> Image.Image:
        """The picture at the network's size, before normalisation."""
        if image.mode != "RGB":
            raise ValueError(f"a picture must be RGB, got {image.mode}")
        if image.size == (self.width, self.height):
            return image
        resample = Image.Resampling(self.resample)
        if self.shortest_edge is None:
            return resize_cheaply(image, (self.width, self.height), resample)
        image = cut_ends(image)
        short = min(image.size)
        resized = tuple(max(1, int(self.shortest_edge * side / short)) for side in image.size)
        if resized != image.size:
            image = image.resize((resized[0], resized[1]), resample)
        left = (image.width - self.width) // 2
        top = (image.height - self.height) // 2
        return image.crop((left, top, left + self.width, top + self.height))


def read_picture_processor(folder: Path) -> PictureProcessor:
    """The processor that `preprocessor_config.json` (or `processor_config.json`) describes.

    Raises:
        ModelError: neither file is there, or it asks for what this class does not do.
    """
    path = folder / "preprocessor_config.json"
    if path.is_file():
        return processor_from(_read_json(path), where=str(path))
    path = folder / "processor_config.json"
    if path.is_file():
        fields = _read_json(path).get("image_processor")
        if isinstance(fields, dict):
            return processor_from(fields, where=str(path))
    raise ModelError(f"{folder}: preprocessor_config.json is missing")


def _read_json(path: Path) -> dict[str, Any]:
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{path}: not readable as JSON ({type(error).__name__})") from error
    if not isinstance(fields, dict):
        raise ModelError(f"{path}: must hold a JSON object")
    return fields


def processor_from(fields: Mapping[str, Any], *, where: str) -> PictureProcessor:
    """The processor of a Hugging Face image processor's fields; `where` names them in errors.

    Older files write `size` as one number: the shorter side where the picture is cropped after,
    both sides where not.
    """
    for name in ("do_resize", "do_rescale", "do_normalize"):
        if fields.get(name, True) is not True:
            raise ModelError(f"{where}: {name} must be true, got {fields[name]!r}")
    try:
        size = fields["size"]
        crops = bool(fields.get("do_center_crop", False))
        box = fields["crop_size"] if crops else size
        height, width = _box(box)
        return PictureProcessor(
            height=height,
            width=width,
            shortest_edge=_shortest_edge(size) if crops else None,
            resample=int(fields.get("resample", Image.Resampling.BICUBIC)),
            scale=float(fields.get("rescale_factor", 1 / 255)),
            mean=_triple(fields["image_mean"]),
            std=_triple(fields["image_std"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"{where}: cannot be used ({type(error).__name__}: {error})") from error


def _box(size: Any) -> tuple[int, int]:
    if isinstance(size, int):
        return size, size
    return int(size["height"]), int(size["width"])


def _shortest_edge(size: Any) -> int | None:
    if isinstance(size, int):
        return size
    return int(size["shortest_edge"]) if "shortest_edge" in size else None


def _triple(values: Any) -> Triple:
    red, green, blue = (float(value) for value in values)
    return red, green, blue
