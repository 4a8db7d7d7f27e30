"""FID (Heusel et al. 2017): a statistic of each picture, its features, and a distance of two sets.

Features are taken at the size their network wants, or at each picture's own where it takes any, and
never at the size of whichever picture comes first.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from editing.evaluation.metrics import Metric, Numbers
from editing.evaluation.similarity import fetching
from editing.pictures import picture_to_tensor, places_in_batches, resize

FID = Metric(name="fid", label="FID", less_is_better=True)
BATCH = 64
INCEPTION_DIMENSION = 2048


@dataclass(frozen=True, eq=False)
class PictureFeatures:
    """Features of pictures, by any network.

    `network` maps pictures in [-1, 1], float32 NCHW, to (b, ...), which is flattened. `side` is the
    side in pixels that it wants, to which pictures are resized, None where it takes any size.
    """

    network: Callable[[Tensor], Tensor]
    side: int | None = None

    @torch.no_grad()
    def __call__(self, images: Sequence[Image.Image]) -> Numbers:
        """One row of features for each picture, in order: (n, d)."""
        if self.side is not None:
            images = [resize(image, (self.side, self.side)) for image in images]
        rows: dict[int, Numbers] = {}
        for some in places_in_batches([image.size for image in images], most=BATCH):
            # As 8-bit pictures, in which form edits are kept.
            pictures = torch.stack([picture_to_tensor(images[place]) for place in some])
            features = self.network(pictures).flatten(1).double().cpu().numpy()
            rows |= dict(zip(some, features, strict=True))
        return np.stack([rows[place] for place in range(len(images))])


def inception_features() -> PictureFeatures:
    """InceptionV3's last pooling, what papers report; its weights are fetched when first needed.

    Raises:
        EditingError: they cannot be fetched.
    """
    from torchmetrics.image.fid import FrechetInceptionDistance

    with fetching("InceptionV3, for FID"):
        network: Any = FrechetInceptionDistance(feature=INCEPTION_DIMENSION).inception

    def features(pictures: Tensor) -> Tensor:
        found: Tensor = network(((pictures + 1) * 127.5).round().byte())
        return found

    return PictureFeatures(features)


@dataclass(frozen=True, eq=False)
class FrechetReduction:
    """The reduction of FID: from the features of many pictures, (n, d), to their distance.

    `real` are the features of the set that others are measured from, (m, d).
    """

    real: Numbers

    def __call__(self, features: Numbers) -> float:
        """See `frechet_distance`."""
        return frechet_distance(features, self.real)


def frechet_distance(made: Numbers, real: Numbers) -> float:
    """The Frechet distance of the normal distributions of two sets of features, (n, d) and (m, d).

    |mean - mean'|^2 + trace(C + C' - 2 (C C')^(1/2)), Heusel et al. 2017, equation 6. At least two
    pictures a set.

    Raises:
        ValueError: a set has fewer than two.
    """
    for values in (made, real):
        if len(values) < 2:
            raise ValueError(f"FID needs at least 2 pictures a set, got {len(values)}")
    gap = ((made.mean(0) - real.mean(0)) ** 2).sum()
    one, other = (np.atleast_2d(np.cov(values, rowvar=False)) for values in (made, real))
    with _one_thread():
        roots = torch.linalg.eigvals(torch.from_numpy(one @ other)).sqrt().real.sum().item()
    # Equal sets come out as a hair below zero.
    return max(0.0, float(gap + np.trace(one) + np.trace(other) - 2 * roots))


@contextmanager
def _one_thread() -> Iterator[None]:
    """For many small products of matrices: on a busy machine threads wait for one another there."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
