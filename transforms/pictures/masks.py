"""From a segmenter's relevance to a region of a picture."""

import numpy as np
import numpy.typing as npt
from PIL import Image

from transforms.pictures.decoding import encode_png
from transforms.protocols import Vectors
from transforms.record import Mask

THRESHOLD = 0.5


def mark_region(
    relevance: Vectors, size: tuple[int, int], *, threshold: float = THRESHOLD
) -> npt.NDArray[np.uint8]:
    """The region of a picture of `size` (width, height) that a relevance map marks, 0 or 255.

    Relevance [h, w] in [0, 1] is cut at the network's own size, and the cut, 0 or 1, is resized
    bilinearly and cut again at a half. A smooth map resized first would round off small things.

    Raises:
        ValueError: a threshold outside (0, 1).
    """
    if not 0 < threshold < 1:
        raise ValueError(f"threshold must be in (0, 1), got {threshold}")
    marked = relevance > threshold
    if size != (marked.shape[1], marked.shape[0]):
        soft = Image.fromarray(marked.astype(np.float32)).resize(size, Image.Resampling.BILINEAR)
        marked = np.asarray(soft) > 0.5
    return np.where(marked, np.uint8(255), np.uint8(0))


def mask_from_relevance(
    relevance: Vectors, size: tuple[int, int], *, threshold: float = THRESHOLD
) -> Mask:
    """`mark_region` as a mask, with its share of the picture and how sure the segmenter was."""
    region = mark_region(relevance, size, threshold=threshold)
    area = float((region > 0).mean())
    marked = relevance > threshold
    return Mask(
        png=encode_png(region),
        area=area,
        confidence=float(relevance[marked].mean(dtype=np.float64)) if area else 0.0,
    )
