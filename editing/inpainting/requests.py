"""Requests that have a mask, painted inside it: from pictures to tensors and back."""

from collections.abc import Callable, Sequence

import torch
from PIL import Image

from editing.errors import NotFiniteError
from editing.inpainting.inpainter import Inpainter, InpaintSettings
from editing.inpainting.pasting import keep_alike
from editing.pictures import (
    mask_to_tensor,
    paste_inside,
    picture_to_tensor,
    places_by_size,
    resize,
    tensor_to_picture,
    working_sides,
)
from editing.remarks import remark_on_size
from editing.requests import Edit, EditOutput, Request


def inpaint_requests(
    inpainter: Inpainter,
    requests: Sequence[Request],
    generators: Sequence[torch.Generator],
    *,
    settings: InpaintSettings,
    at_once: int,
    keep_below: float = 0.0,
    on_step: Callable[[], None] = lambda: None,
) -> list[EditOutput]:
    """An output for each request, which has a mask: what lies inside is painted once.

    Those of one size are painted in batches of `at_once`; `keep_below` is as `keep_alike` has it.

    Raises:
        ValueError: a request has no mask.
        NotFiniteError: the networks gave infinite numbers, or none, for those at its `places`.
        EditingError: see `Inpainter.inpaint`.
    """
    outputs: dict[int, EditOutput] = {}
    guilty: list[int] = []
    broken: NotFiniteError | None = None
    for size, places in places_by_size([working_size(inpainter, r) for r in requests]).items():
        for start in range(0, len(places), at_once):
            some = places[start : start + at_once]
            batch = [requests[place] for place in some]
            sources = torch.stack([picture_to_tensor(resize(r.image, size)) for r in batch])
            try:
                pictures = inpainter.inpaint(
                    sources,
                    torch.stack([_mask(request, size) for request in batch]),
                    [request.prompt for request in batch],
                    [generators[place] for place in some],
                    settings=settings,
                    on_step=on_step,
                )
            except NotFiniteError as error:
                broken = error
                guilty += [some[row] for row in error.places or range(len(some))]
                continue
            kept = keep_alike(sources, pictures.cpu(), below=keep_below)
            for place, picture in zip(some, kept, strict=True):
                outputs[place] = finish_edit(
                    requests[place],
                    tensor_to_picture(picture),
                    worked=size,
                    trained=inpainter.picture_size,
                )
    if broken is not None:
        raise NotFiniteError(str(broken), sorted(guilty)) from broken
    return [outputs[place] for place in range(len(requests))]


def working_size(inpainter: Inpainter, request: Request) -> tuple[int, int]:
    """The size (width, height) in pixels at which a request is painted."""
    return working_sides(
        request.image.size, shorter=inpainter.picture_size, multiple=inpainter.size_multiple
    )


def finish_edit(
    request: Request, made: Image.Image, *, worked: tuple[int, int], trained: int
) -> EditOutput:
    """The result at the source's size, with the source's own pixels outside of the mask.

    `worked` is the size (width, height) at which it was painted. Where its shorter side is below
    `trained` pixels, those of the pictures the networks know, that is remarked on.
    """
    assert request.edit_mask is not None, "what was painted was painted in a mask"
    whole = request.image.size
    image = paste_inside(resize(made, whole), request.image, request.edit_mask)
    remarks = remark_on_size(whole, worked, trained=trained)
    return EditOutput((Edit(image),), request.edit_mask, remarks)


def _mask(request: Request, size: tuple[int, int]) -> torch.Tensor:
    if request.edit_mask is None:
        raise ValueError("a request must have a mask to be painted in")
    return mask_to_tensor(resize(request.edit_mask.convert("L"), size))
