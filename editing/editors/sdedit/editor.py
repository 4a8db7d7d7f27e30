"""Editors: called like a diffusers pipeline, with a picture and words, they give pictures.

| method | what it does |
|---|---|
| `copy` | nothing; what every comparison needs beside it |
| `sdedit` | noise to `strength`, denoise under the prompt (Meng et al. 2022) |
| `iedit` | the same with weights trained by iEdit |
| `iedit-m` | the same, and equation 13 keeps what lies outside a mask |

What sets `iedit` apart from `sdedit` is the weights, what sets `iedit-m` apart the mask.
"""

from collections.abc import Callable, Iterator, Sequence

import torch
from PIL import Image
from torch import Tensor

from editing.choices import MASKED, METHODS
from editing.diffusion.model import LatentDiffusion
from editing.diffusion.noise import Generators, draw_noise
from editing.diffusion.sampling import Sampling, edit_latents
from editing.editors.iedit.objective import to_latent_mask
from editing.pictures import (
    fit_sides,
    mask_to_tensor,
    picture_to_tensor,
    places_by_size,
    resize,
    tensor_to_picture,
)
from editing.regions.segmented import MaskUse, find_regions
from editing.requests import Edit, EditError, EditOutput, Request, zip_requests
from transforms.protocols import Encoder, Segmenter


class Editor:
    """Edits pictures with a diffusion model.

    `segmenter` finds masks and is needed by methods that use one; `masks` says what is made of
    them. `encoder` scores results and is needed where several are asked for.
    """

    def __init__(
        self,
        model: LatentDiffusion | None,
        *,
        method: str,
        segmenter: Segmenter | None = None,
        encoder: Encoder | None = None,
        masks: MaskUse | None = None,
    ) -> None:
        if method not in METHODS:
            raise EditError(f"method must be one of {', '.join(METHODS)}, got {method!r}")
        if model is None and method != "copy":
            raise EditError(f"the method {method} needs a diffusion model")
        self._model = model
        self._method = method
        self._segmenter = segmenter
        self._encoder = encoder
        self._mask_use = masks or MaskUse()

    def __call__(
        self,
        image: Image.Image | Sequence[Image.Image],
        prompt: str | Sequence[str],
        *,
        source_prompt: str | Sequence[str] | None = None,
        edit_mask: Image.Image | Sequence[Image.Image] | None = None,
        strength: float = 0.7,
        guidance_scale: float = 7.5,
        num_inference_steps: int = 50,
        num_images_per_prompt: int = 1,
        generator: Generators = None,
    ) -> EditOutput | list[EditOutput]:
        """Edits one picture, or several in one batch: then every argument may be a list."""
        images = [image] if isinstance(image, Image.Image) else image
        requests = zip_requests(images, prompt, source_prompt, edit_mask)
        sampling = Sampling(
            strength=strength,
            guidance_scale=guidance_scale,
            num_inference_steps=num_inference_steps,
        )
        outputs = self.edit(requests, sampling, results=num_images_per_prompt, generator=generator)
        return outputs[0] if isinstance(image, Image.Image) else outputs

    def edit(
        self,
        requests: Sequence[Request],
        sampling: Sampling,
        *,
        results: int = 1,
        generator: Generators = None,
        on_step: Callable[[], None] = lambda: None,
    ) -> list[EditOutput]:
        """Edits a batch; pictures of different sizes are worked on apart.

        Raises:
            EditError: an edit cannot be made, or a part it needs was not given.
            PromptLengthError: a prompt has more tokens than the text encoder takes.
        """
        if results < 1:
            raise EditError(f"num_images_per_prompt must be at least 1, got {results}")
        if results > 1 and self._encoder is None:
            raise EditError("several results are ranked by score, which needs an encoder")
        if self._method == "copy":
            return [EditOutput((Edit(request.image),)) for request in requests]
        outputs: dict[int, EditOutput] = {}
        for size, places in places_by_size(self._sizes(requests)).items():
            some = [requests[place] for place in places]
            masks = self._masks(some, size)
            own = generator
            if isinstance(generator, Sequence):
                own = [generator[place] for place in places]
            pictures = list(
                self._pictures(some, size, masks, sampling, own, on_step, results=results)
            )
            for row, place in enumerate(places):
                images = [
                    self._finish(each[row], requests[place], masks[row] if masks else None)
                    for each in pictures
                ]
                ranked = self._rank(images, requests[place].prompt)
                outputs[place] = EditOutput(tuple(ranked), masks[row] if masks else None)
        return [outputs[place] for place in range(len(requests))]

    def _sizes(self, requests: Sequence[Request]) -> list[tuple[int, int]]:
        """The size at which each picture is worked on."""
        model = self._model
        assert model is not None
        return [
            fit_sides(request.image.size, shorter=model.picture_size, multiple=model.size_multiple)
            for request in requests
        ]

    def _masks(
        self, requests: Sequence[Request], size: tuple[int, int]
    ) -> list[Image.Image] | None:
        """The masks at the size that is worked at; None where there are none."""
        if self._method not in MASKED and not any(request.edit_mask for request in requests):
            return None
        asked = [place for place, request in enumerate(requests) if request.edit_mask is None]
        if asked and self._method not in MASKED:
            raise EditError("either all pictures of a batch have an edit_mask or none")
        if asked and self._segmenter is None:
            raise EditError("a mask must be found, which needs a segmenter")
        found: dict[int, Image.Image] = {}
        if asked and self._segmenter is not None:
            regions = find_regions(
                self._segmenter,
                [requests[place].image for place in asked],
                [requests[place].phrase() for place in asked],
                size=size,
                grow=self._mask_use.grow,
            )
            found = dict(zip(asked, regions, strict=True))
        return [
            resize(request.edit_mask.convert("L"), size) if request.edit_mask else found[place]
            for place, request in enumerate(requests)
        ]

    @torch.inference_mode()
    def _pictures(
        self,
        requests: Sequence[Request],
        size: tuple[int, int],
        masks: Sequence[Image.Image] | None,
        sampling: Sampling,
        generator: Generators,
        on_step: Callable[[], None],
        *,
        results: int,
    ) -> Iterator[Tensor]:
        """Each result as a batch of pictures; what they share is computed once."""
        model = self._model
        assert model is not None
        sources = [picture_to_tensor(resize(request.image, size)) for request in requests]
        source_latent = model.encode(torch.stack(sources))
        edit_mask = None
        if masks is not None:
            whole = torch.stack([mask_to_tensor(mask) for mask in masks])
            edit_mask = to_latent_mask(whole, model.factor).to(source_latent.device)
        text = model.embed_texts([request.prompt for request in requests])
        empty_text = model.embed_texts([""] * len(requests))
        for _ in range(results):
            edited = edit_latents(
                model,
                source_latent,
                noise=draw_noise(source_latent, generator),
                text=text,
                empty_text=empty_text,
                sampling=sampling,
                edit_mask=edit_mask,
                on_step=on_step,
            )
            yield model.decode(edited)

    def _finish(self, picture: Tensor, request: Request, mask: Image.Image | None) -> Image.Image:
        """The result at the source's size."""
        image = resize(tensor_to_picture(picture), request.image.size)
        if not self._mask_use.paste or mask is None:
            return image
        region = resize(mask, image.size).point(lambda value: 255 * (value > 127))
        return Image.composite(image, request.image, region)

    def _rank(self, images: Sequence[Image.Image], prompt: str) -> list[Edit]:
        if self._encoder is None:
            return [Edit(image) for image in images]
        text = self._encoder.encode_texts([prompt])[0]
        scores = self._encoder.encode_images(images) @ text
        edits = [Edit(image, float(score)) for image, score in zip(images, scores, strict=True)]
        return sorted(edits, key=lambda edit: -(edit.score or 0.0))
