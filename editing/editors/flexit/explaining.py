"""How `flexit` came to a picture, drawn: the source, the pictures on the way, the result."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from PIL import Image

from editing.pictures import tensor_to_picture
from editing.requests import Request
from editing.tensors import PictureTensor
from transforms.pictures.contact_sheet import RGB, SheetEntry, Words, draw_sheet, fill_tile
from transforms.pictures.overlay import overlay

MASK_COLOUR: RGB = (214, 40, 40)


@dataclass(eq=False)
class Trace:
    """Pictures on the way of one edit of so many `steps`, by how many had been made."""

    steps: int
    pictures: list[tuple[int, Image.Image]] = field(default_factory=list)

    def keep(self, step: int, picture: PictureTensor) -> None:
        """Keeps the picture, in [-1, 1], before that step, if all of it is finite.

        Of one that is not, the edit itself tells in the end.
        """
        if bool(torch.isfinite(picture).all()):
            self.pictures.append((step, tensor_to_picture(picture)))


def draw_explanation(request: Request, trace: Trace, result: Image.Image) -> Image.Image:
    """A row as figure 4.5 of Couairon's thesis: the source, the mask, pictures on the way, result.

    The picture after no step is what the autoencoder makes of the source inside the mask.
    """
    source = fill_tile(request.image)
    pictures: dict[str, Image.Image] = {"source": source}
    if request.edit_mask is not None:
        mask = request.edit_mask.convert("L").resize(source.size, Image.Resampling.NEAREST)
        pictures["mask"] = overlay(source, np.asarray(mask) > 127, MASK_COLOUR)
    for step, picture in trace.pictures:
        pictures[f"after {step}"] = fill_tile(picture)
    pictures[f"after {trace.steps}"] = fill_tile(result)
    lines: Sequence[str | tuple[Words, ...]] = (
        *((request.source_prompt,) if request.source_prompt else ()),
        (Words(f"-> {request.prompt}", MASK_COLOUR),),
    )
    return draw_sheet([SheetEntry(tuple(pictures.values()), tuple(lines))], tuple(pictures))
