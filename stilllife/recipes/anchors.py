"""Anchors, judged by the truth: how often the best patches of a map of a picture lie on things."""

import torch
import torch.nn.functional as F

COVERED = 0.25
"""Share of a patch that a thing must cover for the patch to lie on it."""

FIRST = (1, 3, 9)
"""How many of the best patches are looked at."""


def things_on_grid(regions: torch.Tensor, grid: tuple[int, int]) -> torch.Tensor:
    """Which patches lie on a thing: (n, h, w) bool of regions (n, height, width), 0 outside."""
    share = F.adaptive_avg_pool2d((regions > 0).float().unsqueeze(1), grid)
    return share.squeeze(1) >= COVERED


def anchor_shares(maps: torch.Tensor, regions: torch.Tensor) -> dict[str, float]:
    """Share of the best 1, 3 and 9 patches of maps (n, h, w) that lie on a thing: `top_1`, ...."""
    on_thing = things_on_grid(regions, (maps.shape[1], maps.shape[2])).flatten(1)
    best = maps.flatten(1).topk(max(FIRST)).indices
    right = on_thing.gather(1, best).float()
    return {f"top_{count}": right[:, :count].mean().item() for count in FIRST}


def most_shares(regions: torch.Tensor, grid: tuple[int, int]) -> dict[str, float]:
    """What `anchor_shares` can come to at most: some things cover fewer patches than are chosen."""
    return anchor_shares(things_on_grid(regions, grid).float(), regions)


def median_distance(pictures: torch.Tensor, grid: tuple[int, int]) -> torch.Tensor:
    """How far a patch's pixels are from the picture's median colour, (n, h, w); no network.

    `pictures` are (n, 3, height, width) in [-1, 1].
    """
    median = pictures.flatten(2).median(2).values[:, :, None, None]
    apart = (pictures - median).square().sum(1, keepdim=True).sqrt()
    return F.adaptive_avg_pool2d(apart, grid).squeeze(1)
