"""Every box of a picture painted once, in batches, from the same noise."""

import dataclasses
from collections.abc import Callable, Sequence

import torch

from editing.boxes.proposals import Proposals
from editing.editors.learned_regions.fitting import PaintedBoxes
from editing.editors.learned_regions.settings import BoxSettings
from editing.inpainting.inpainter import Inpainter, InpaintSettings
from editing.inpainting.pasting import keep_alike
from editing.tensors import PictureTensor

MOST_SEED = 2**63 - 1


def paint_boxes(
    inpainter: Inpainter,
    picture: PictureTensor,
    proposals: Proposals,
    *,
    prompt: str,
    seed: int,
    settings: InpaintSettings,
    at_once: int,
    keep_below: float = 0.0,
    on_step: Callable[[], None] = lambda: None,
) -> PaintedBoxes:
    """The edits of all boxes of a picture; `seed` draws the noise, which is the same in each.

    `keep_below` is as `editing.inpainting.pasting.keep_alike` has it.

    Raises:
        EditingError: they cannot be made; see `Inpainter.inpaint`.
    """
    height, width = proposals.size
    masks = torch.stack([box.mask(height, width) for box in proposals.distinct])
    edits = []
    for some in masks.split(at_once):
        source = picture.expand(len(some), -1, -1, -1)
        painted = inpainter.inpaint(
            source,
            some,
            [prompt] * len(some),
            same_noise(seed, len(some)),
            settings=settings,
            on_step=on_step,
        )
        edits.append(keep_alike(source, painted.cpu(), below=keep_below))
    return PaintedBoxes(masks=masks, edits=torch.cat(edits), places=proposals.places)


def same_noise(seed: int, count: int) -> Sequence[torch.Generator]:
    """Generators that all draw the same."""
    return [torch.Generator().manual_seed(seed) for _ in range(count)]


def draw_seed(generator: torch.Generator) -> int:
    """A seed for all that is random in one edit."""
    return int(torch.randint(MOST_SEED, (), generator=generator, dtype=torch.int64))


def inpaint_settings(inpainter: Inpainter, settings: BoxSettings) -> InpaintSettings:
    """How an editor's settings ask an inpainter to paint: its own ways where they say none."""
    names = [field.name for field in dataclasses.fields(InpaintSettings)]
    said = {name: getattr(settings, name) for name in names}
    return dataclasses.replace(
        inpainter.defaults, **{name: value for name, value in said.items() if value is not None}
    )
