"""Measures of edits: a number for each edit, and how numbers become a figure with its interval.

Pictures are float32 NCHW in [-1, 1], masks 1 inside. A measure of one edit is a per-example
statistic, so that it can be computed anywhere and resampled; FID alone belongs to a whole set.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torchmetrics.functional.image import structural_similarity_index_measure
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.lpip import LearnedPerceptualImagePatchSimilarity

from editing.errors import EditingError

Pictures = Float[Tensor, "b 3 height width"]
Masks = Float[Tensor, "b 1 height width"]
PerExample = Float[Tensor, " b"]
Numbers = npt.NDArray[np.float64]

HESSEL_WEIGHT = 2.5
SSIM_WINDOW = 11
INCEPTION_DIMENSION = 2048
LPIPS_LEAST_SIDE = 64
"""The smallest side in pixels that all of the networks' poolings leave something of."""


def clip_scores(cosines: Numbers) -> dict[str, Numbers]:
    """CLIPScore of picture and prompt from their cosines, in both scalings in use.

    `clip_score` is 100 cos, as toolkits report it; `clip_score_hessel` is 2.5 max(cos, 0) (Hessel
    et al. 2021, equation 1).
    """
    return {
        "clip_score": 100 * cosines,
        "clip_score_hessel": HESSEL_WEIGHT * np.maximum(cosines, 0),
    }


def region_ssim(edited: Pictures, source: Pictures, region: Masks) -> dict[str, PerExample]:
    """SSIM (Wang et al. 2004) of edited picture and source over a region, in both readings.

    `mean` is the mean of the SSIM map over the region, `zero_filled` the SSIM of the two pictures
    with all else set to black. NaN where the region is empty.
    """
    maps = _ssim_map(edited, source).mean(1, keepdim=True)
    area = region.flatten(1).sum(1)
    mean = (maps * region).flatten(1).sum(1) / area  # 0 / 0 is the NaN that is promised
    blackened = [(picture + 1) / 2 * region for picture in (edited.clamp(-1, 1), source)]
    zero_filled = structural_similarity_index_measure(
        *blackened, data_range=1.0, reduction="none", kernel_size=SSIM_WINDOW
    )
    assert isinstance(zero_filled, Tensor)
    return {"mean": mean, "zero_filled": torch.where(area > 0, zero_filled, torch.nan)}


def _ssim_map(edited: Pictures, source: Pictures) -> Tensor:
    units = [(picture.clamp(-1, 1) + 1) / 2 for picture in (edited, source)]
    _, maps = structural_similarity_index_measure(
        *units,
        data_range=1.0,
        reduction="none",
        kernel_size=SSIM_WINDOW,
        return_full_image=True,
    )
    assert isinstance(maps, Tensor)
    return maps


def background_error(edited: Pictures, source: Pictures, changed: Masks) -> PerExample:
    """Root mean squared difference outside `changed`, of values in [0, 1]; NaN if that is all."""
    kept = 1 - changed
    square = ((edited.clamp(-1, 1) - source) / 2).square().mean(1, keepdim=True)
    return ((square * kept).flatten(1).sum(1) / kept.flatten(1).sum(1)).sqrt()


class FrechetDistance:
    """FID (Heusel et al. 2017) of sets of pictures from one set of real ones, by any features.

    `features` maps pictures in [-1, 1] to (b, dimension); None stands for InceptionV3's last
    pooling, what papers report, whose weights are fetched when they are first needed.

    Raises:
        EditingError: Inception's weights cannot be fetched.
    """

    def __init__(self, features: Callable[[Tensor], Tensor] | None, dimension: int) -> None:
        network = INCEPTION_DIMENSION if features is None else _OnBytes(features, dimension)
        with _fetching("InceptionV3, for FID"):
            self._metric = FrechetInceptionDistance(feature=network, reset_real_features=False)

    def learn_real(self, real: Iterable[Pictures]) -> None:
        """Takes in the set, given in batches, that others are measured from."""
        self._update(real, is_real=True)

    def of(self, made: Iterable[Pictures]) -> float:
        """The distance of a set, given in batches, from the real one."""
        self._metric.reset()
        self._update(made, is_real=False)
        with _one_thread():
            return float(self._metric.compute())

    def _update(self, batches: Iterable[Pictures], *, is_real: bool) -> None:
        for batch in batches:
            self._metric.update(((batch.clamp(-1, 1) + 1) * 127.5).round().byte(), real=is_real)


@contextmanager
def _one_thread() -> Iterator[None]:
    """For many small products of matrices: on a busy machine threads wait for one another there."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


class _OnBytes(nn.Module):
    """Features of the 8-bit pictures that torchmetrics hands over."""

    def __init__(self, features: Callable[[Tensor], Tensor], dimension: int) -> None:
        super().__init__()
        self._features = features
        self.num_features = dimension

    @torch.no_grad()
    def forward(self, pictures: Tensor) -> Tensor:
        return self._features(pictures.float() / 127.5 - 1).flatten(1)


class PerceptualDistance:
    """LPIPS (Zhang et al. 2018) of edited pictures from their sources, by one of `LPIPS_NETWORKS`.

    The weights of the network are torchvision's, fetched when they are first needed.

    Raises:
        EditingError: they cannot be fetched.
    """

    def __init__(self, network: str) -> None:
        with _fetching(f"{network}, for LPIPS"):
            self._network = LearnedPerceptualImagePatchSimilarity(net_type=network).net

    @torch.no_grad()
    def __call__(self, edited: Pictures, source: Pictures) -> PerExample:
        """The distance of each edited picture from its source, 0 for equal ones.

        Raises:
            EditingError: the pictures are too small for the network.
        """
        if min(edited.shape[-2:]) < LPIPS_LEAST_SIDE:
            raise EditingError(
                f"LPIPS needs pictures of at least {LPIPS_LEAST_SIDE} pixels a side, "
                f"got {edited.shape[-1]} x {edited.shape[-2]}"
            )
        distances: Tensor = self._network(edited.clamp(-1, 1), source)
        return distances.flatten()


@contextmanager
def _fetching(what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise EditingError(
            f"cannot fetch the weights of {what} ({type(error).__name__}): fetch them where there "
            "is a network and bring torch's hub cache here"
        ) from error


@dataclass(frozen=True)
class Interval:
    """A figure and the interval in which it lies with the stated confidence."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def bootstrap(
    columns: Sequence[Sequence[float]],
    statistic: Callable[..., Numbers] | None = None,
    *,
    seed: int = 0,
    draws: int = 2_000,
    confidence: float = 0.95,
) -> Interval:
    """A statistic of the rows of `columns` with its percentile interval (Efron 1979).

    Rows are resampled whole, so that columns of one edit stay together: with two methods' numbers
    on the same edits and `lambda a, b: a - b` the interval is that of the paired difference. The
    statistic maps one array a column, (draws, rows) each, to such an array, whose mean over rows
    is taken; None stands for the first column. Rows with a NaN in any column are left out.

    Raises:
        ValueError: no row is left.
    """
    table = np.asarray(columns, dtype=np.float64)
    table = table[:, ~np.isnan(table).any(axis=0)]
    rows = table.shape[1]
    if rows == 0:
        raise ValueError("at least one row must have a number in every column")
    combine = statistic or (lambda first, *_: first)
    value = float(np.mean(combine(*table[:, None, :])))
    picks = np.random.default_rng(seed).integers(rows, size=(draws, rows))
    means = np.mean(combine(*(column[picks] for column in table)), axis=1)
    tail = (1 - confidence) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return Interval(value, float(low), float(high))
