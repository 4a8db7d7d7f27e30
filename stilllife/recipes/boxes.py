"""Boxes to paint in: those that training draws, and things' own."""

import torch

from stilllife.scene import PICTURE_SIZE

KINDS = {"near": 0.55, "grown": 0.3, "anywhere": 0.1, "whole": 0.05}
"""How often a training box is a square around a point near a thing, a thing's own box grown on all
sides, a square anywhere, or the whole picture."""

HALF_SIZES = (4, 32)
"""Least and most half sides of squares, in pixels."""

JITTER = 6
"""Pixels by which a square's centre may lie beside the point of a thing it was drawn by."""

GROWN = (2, 12)
"""Least and most pixels by which a thing's own box is grown."""


def draw_boxes(regions: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """A box a picture, of the `KINDS`, clipped at the border: masks (n, 1, 64, 64), 0 or 1.

    `regions` (n, 64, 64) has 0 for the background, 1 and 2 for the first and the second thing.
    """
    n = len(regions)

    def between(low: int, high: int) -> torch.Tensor:
        return torch.randint(low, high + 1, (n,), generator=generator)

    thing = torch.where((regions == 2).flatten(1).any(1), between(1, 2), torch.ones(n).long())
    marked = (regions == thing[:, None, None]).flatten(1).float() + 1e-9
    point = torch.multinomial(marked, 1, generator=generator)[:, 0]
    spread, half = between(-JITTER, JITTER), between(*HALF_SIZES)
    near = [
        _span(place + moved, half)
        for place, moved in (
            (point // PICTURE_SIZE, spread),
            (point % PICTURE_SIZE, between(-JITTER, JITTER)),
        )
    ]
    anywhere = [_span(between(0, PICTURE_SIZE - 1), half) for _ in range(2)]
    grown = _grown(regions == thing[:, None, None], between(*GROWN))
    whole = [torch.tensor([[0, PICTURE_SIZE]]).expand(n, 2)] * 2
    chances = torch.tensor(list(KINDS.values())).expand(n, -1)
    kind = torch.multinomial(chances, 1, generator=generator)[:, 0]
    rows, columns = (
        torch.stack(spans, 1)[torch.arange(n), kind]
        for spans in zip(near, grown, anywhere, whole, strict=True)
    )
    return _fill(rows, columns)


def thing_boxes(things: torch.Tensor, *, margin: int) -> torch.Tensor:
    """The box of each thing (n, 64, 64), grown by `margin` pixels: masks (n, 1, 64, 64), 0 or 1."""
    rows, columns = _grown(things, torch.full((len(things),), margin))
    return _fill(rows, columns)


def _fill(rows: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
    """Masks (n, 1, 64, 64) of spans of rows and of columns, each (n, 2)."""
    line = torch.arange(PICTURE_SIZE)
    down, across = ((line >= span[:, :1]) & (line < span[:, 1:]) for span in (rows, columns))
    return (down[:, :, None] & across[:, None, :]).float().unsqueeze(1)


def _span(centre: torch.Tensor, half: torch.Tensor) -> torch.Tensor:
    """First and last + 1 pixel (n, 2) along one side."""
    return torch.stack([centre - half, centre + half], dim=1).clamp(0, PICTURE_SIZE)


def _grown(things: torch.Tensor, by: torch.Tensor) -> list[torch.Tensor]:
    """The bounding boxes of masks (n, 64, 64), grown: spans of rows and of columns."""
    spans = []
    for axis in (2, 1):
        seen = things.any(axis).int()
        first = seen.argmax(1)
        last = PICTURE_SIZE - seen.flip(1).argmax(1)
        spans.append(torch.stack([first - by, last + by], dim=1).clamp(0, PICTURE_SIZE))
    return spans
