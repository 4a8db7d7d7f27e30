"""Decoded pictures and masks to tensors and back, at the sizes a diffusion model takes.

Tensors are float32 CHW, pictures in [-1, 1], masks 0 or 1.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from PIL import Image

from editing.finite import not_finite
from editing.tensors import LatentMask, MaskBatch, MaskTensor, PictureTensor

MOST_TIMES = 4
"""The longer side that is worked at is at most so many times the side a model was trained at."""


def fit_square(image: Image.Image, size: int) -> Image.Image:
    """The middle square of a picture, `size` pixels a side, resampled as its mode asks for."""
    if image.size == (size, size):
        return image
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    box = (left, top, left + side, top + side)
    return image.resize((size, size), _filter(image), box=box)


def fit_sides(size: tuple[int, int], *, shorter: int, multiple: int) -> tuple[int, int]:
    """The size (width, height) of about the same aspect whose shorter side is about `shorter`.

    Both sides are multiples of `multiple`, as the networks' halvings ask for.
    """
    scale = shorter / min(size)
    width, height = (max(1, round(side * scale / multiple)) * multiple for side in size)
    return width, height


def working_sides(size: tuple[int, int], *, shorter: int, multiple: int) -> tuple[int, int]:
    """`fit_sides` within bounds: what an edit costs depends on the model, not on the picture.

    Of a picture more than `MOST_TIMES` as long as it is wide the longer side is `MOST_TIMES`
    `shorter` instead, and the shorter one is smaller, down to `multiple`.
    """
    if max(size) <= MOST_TIMES * min(size):
        return fit_sides(size, shorter=shorter, multiple=multiple)
    scale = MOST_TIMES * shorter / max(size)
    width, height = (max(1, round(side * scale / multiple)) * multiple for side in size)
    return width, height


def places_by_size(sizes: Sequence[tuple[int, int]]) -> dict[tuple[int, int], list[int]]:
    """Where each size stands in `sizes`: what has one size can be worked on in one batch."""
    places: dict[tuple[int, int], list[int]] = {}
    for place, size in enumerate(sizes):
        places.setdefault(size, []).append(place)
    return places


def places_in_batches(
    sizes: Sequence[tuple[int, int]], *, most: int = 64, most_pixels: int = 2**24
) -> Iterator[list[int]]:
    """`places_by_size` in batches of at most `most` pictures and `most_pixels` pixels together.

    A picture that has more of them is alone.
    """
    for (width, height), places in places_by_size(sizes).items():
        together = max(1, min(most, most_pixels // (width * height)))
        for start in range(0, len(places), together):
            yield places[start : start + together]


def resize(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """A picture or mask at `size` (width, height)."""
    return image if image.size == size else image.resize(size, _filter(image))


def paste_inside(made: Image.Image, source: Image.Image, mask: Image.Image) -> Image.Image:
    """`made` where `mask` is brighter than half, and the source's own pixels elsewhere."""
    region = mask.convert("L").point(lambda value: 255 * (value > 127))
    return Image.composite(made, source, region)


def _filter(image: Image.Image) -> Image.Resampling:
    # Lanczos overshoots at the border of a mask.
    return Image.Resampling.BILINEAR if image.mode == "L" else Image.Resampling.LANCZOS


def picture_to_tensor(image: Image.Image) -> PictureTensor:
    """An RGB picture in [-1, 1]."""
    if image.mode != "RGB":
        raise ValueError(f"a picture must be RGB, got {image.mode}")
    pixels: npt.NDArray[np.uint8] = np.asarray(image)
    return torch.from_numpy(pixels.transpose(2, 0, 1).copy()).float() / 127.5 - 1


def mask_to_tensor(image: Image.Image) -> MaskTensor:
    """A single-channel mask, 1 where it is brighter than half."""
    marked: npt.NDArray[np.bool_] = np.asarray(image.convert("L")) > 127
    return torch.from_numpy(marked.copy()).float().unsqueeze(0)


def to_latent_mask(mask: MaskBatch, factor: int) -> LatentMask:
    """A picture's mask at the size of its latent: 1 where more than half of the pixels are.

    `factor` is how many pixels of a picture there are to one of a latent, along each side.
    """
    return (F.avg_pool2d(mask.float(), factor) > 0.5).float()


def tensor_to_picture(tensor: PictureTensor) -> Image.Image:
    """The 8-bit RGB picture of a tensor in [-1, 1]; what lies outside is clamped.

    Raises:
        NotFiniteError: it holds infinite numbers, or none.
    """
    if not bool(torch.isfinite(tensor).all()):
        raise not_finite("in a picture")
    unit = (tensor.detach().float().cpu().clamp(-1, 1) + 1) / 2
    pixels = (unit * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
    return Image.fromarray(np.ascontiguousarray(pixels))
