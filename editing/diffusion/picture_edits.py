"""From requests to latents and back: what every editor over latents does around its own part.

An editor gives the middle, a function from a `LatentBatch` to edited latents. Pictures of different
sizes are worked on apart.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from PIL import Image
from torch import Tensor

from editing.diffusion.autoencoder import Autoencoder
from editing.diffusion.noise import Latents
from editing.errors import NotFiniteError
from editing.finite import require_finite_rows
from editing.pictures import (
    mask_to_tensor,
    paste_inside,
    picture_to_tensor,
    places_by_size,
    resize,
    tensor_to_picture,
    to_latent_mask,
    working_sides,
)
from editing.remarks import TINY_MASK, Remark, remark_on_mask, remark_on_size
from editing.requests import Edit, EditOutput, Request
from editing.tensors import LatentMask


@dataclass(frozen=True, kw_only=True)
class LatentBatch:
    """Requests whose pictures are worked on at one size, as latents.

    `edit_mask` is 1 where a latent may change, and None where nothing in the batch is masked.
    `places` are where its requests stand among all that are asked for.
    """

    source_latent: Latents
    edit_mask: LatentMask | None
    prompts: tuple[str, ...]
    source_prompts: tuple[str | None, ...]
    generators: tuple[torch.Generator, ...]
    places: tuple[int, ...]


EditLatents = Callable[[LatentBatch], Latents]


@torch.inference_mode()
def edit_pictures(
    model: Autoencoder,
    requests: Sequence[Request],
    generators: Sequence[torch.Generator],
    edit_latents: EditLatents,
    *,
    paste: bool = False,
) -> list[EditOutput]:
    """The outputs of requests by a function that edits latents.

    With `paste` the source's own pixels are put back outside a request's mask. What is worked at
    is bounded (`working_sides`), and a picture that is made smaller for it is remarked on.

    Raises:
        ValueError: more or fewer generators than requests.
        NotFiniteError: the model gave infinite numbers, or none, for those at its `places`.
        PromptLengthError: a prompt has more tokens than the text encoder takes.
        whatever `edit_latents` raises.
    """
    if len(generators) != len(requests):
        raise ValueError(f"there must be {len(requests)} generators, got {len(generators)}")
    outputs: dict[int, EditOutput] = {}
    broken: list[NotFiniteError] = []
    guilty: list[int] = []
    sizes = [
        working_sides(request.image.size, shorter=model.picture_size, multiple=model.size_multiple)
        for request in requests
    ]
    for size, places in places_by_size(sizes).items():
        some = [requests[place] for place in places]
        drawing = [generators[place] for place in places]
        try:
            batch = _to_latents(model, some, drawing, size, places=places)
            made = _edit_batch(model, some, batch, edit_latents, size=size, paste=paste)
        except NotFiniteError as error:
            # Those of other sizes are looked at too, so that all the guilty are known at once.
            broken.append(error)
            guilty += [places[row] for row in error.places]
        else:
            outputs |= dict(zip(places, made, strict=True))
    if broken:
        raise NotFiniteError(str(broken[0]), sorted(guilty)) from broken[0]
    return [outputs[place] for place in range(len(requests))]


def _edit_batch(
    model: Autoencoder,
    requests: Sequence[Request],
    batch: LatentBatch,
    edit_latents: EditLatents,
    *,
    size: tuple[int, int],
    paste: bool,
) -> list[EditOutput]:
    """The outputs of requests that are worked on at one size."""
    latents = edit_latents(batch)
    require_finite_rows(latents, where="in the edited latent")
    pictures = model.decode(latents)
    require_finite_rows(pictures, where="in the decoded picture")
    outputs = []
    for row, request in enumerate(requests):
        image = _finish(pictures[row], request, paste=paste)
        marked = None if batch.edit_mask is None else batch.edit_mask[row]
        remarks = _remarks(request, size, marked, trained=model.picture_size)
        outputs.append(EditOutput((Edit(image),), request.edit_mask, remarks))
    return outputs


def _remarks(
    request: Request, size: tuple[int, int], latent_mask: Tensor | None, *, trained: int
) -> tuple[Remark, ...]:
    """What is to be said of an edit at `size` by a model of pictures `trained` pixels a side."""
    remarks = [*remark_on_size(request.image.size, size, trained=trained)]
    marks_something = request.edit_mask is not None and not remark_on_mask(request.edit_mask)
    if marks_something and latent_mask is not None and not bool(latent_mask.any()):
        line = f"the mask marks too little to change anything at {size[0]} x {size[1]} pixels"
        remarks.append(Remark(TINY_MASK, line))
    return tuple(remarks)


def _to_latents(
    model: Autoencoder,
    requests: Sequence[Request],
    generators: Sequence[torch.Generator],
    size: tuple[int, int],
    *,
    places: Sequence[int],
) -> LatentBatch:
    sources = [picture_to_tensor(resize(request.image, size)) for request in requests]
    source_latent = model.encode(torch.stack(sources))
    require_finite_rows(source_latent, where="in the picture's latent")
    edit_mask = None
    if any(request.edit_mask is not None for request in requests):
        masks = torch.stack([_mask(request.edit_mask, size) for request in requests])
        edit_mask = to_latent_mask(masks, model.factor).to(source_latent.device)
    return LatentBatch(
        source_latent=source_latent,
        edit_mask=edit_mask,
        prompts=tuple(request.prompt for request in requests),
        source_prompts=tuple(request.source_prompt for request in requests),
        generators=tuple(generators),
        places=tuple(places),
    )


def _mask(mask: Image.Image | None, size: tuple[int, int]) -> Tensor:
    """A mask at the size that is worked at; all may change where there is none."""
    if mask is None:
        return torch.ones(1, size[1], size[0])
    return mask_to_tensor(resize(mask.convert("L"), size))


def _finish(picture: Tensor, request: Request, *, paste: bool) -> Image.Image:
    """The result at the source's size."""
    image = resize(tensor_to_picture(picture), request.image.size)
    if not paste or request.edit_mask is None:
        return image
    return paste_inside(image, request.image, request.edit_mask)
