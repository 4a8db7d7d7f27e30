"""Several results of one edit, the best first."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from PIL import Image

from editing.errors import EditError
from editing.loading import LoadedEditor
from editing.requests import Edit, EditOutput, OnStep, Request
from transforms.protocols import Encoder


def edit_several(
    editor: LoadedEditor,
    request: Request,
    settings: Any,
    generator: torch.Generator,
    *,
    results: int,
    encoder: Encoder,
    on_step: OnStep = lambda: None,
) -> EditOutput:
    """`results` results of a request, each drawn from `generator` after the one before it.

    They are ranked by the cosine of picture and prompt by `encoder`, in [-1, 1], best first.

    Raises:
        EditError: fewer than one result is wanted.
        EditingError: the edit cannot be made.
    """
    if results < 1:
        raise EditError(f"results must be at least 1, got {results}")
    # A mask that was found for the first serves the others.
    first = editor.edit([request], settings, [generator], on_step)[0]
    masked = replace(request, edit_mask=first.edit_mask)
    outputs = [first]
    for _ in range(results - 1):
        outputs += editor.edit([masked], settings, [generator], on_step)
    images = [edit.image for output in outputs for edit in output.edits]
    ranked = rank(images, request.prompt, encoder)
    explains = [output.explain for output in outputs if ranked[0].image in _images(output)]
    return replace(first, edits=tuple(ranked), explain=explains[0] or first.explain)


def _images(output: EditOutput) -> list[Image.Image]:
    return [edit.image for edit in output.edits]


def rank(images: Sequence[Image.Image], prompt: str, encoder: Encoder) -> list[Edit]:
    """Pictures as edits with their scores, best first."""
    scores = encoder.encode_images(images) @ encoder.encode_texts([prompt])[0]
    edits = [Edit(image, float(score)) for image, score in zip(images, scores, strict=True)]
    return sorted(edits, key=lambda edit: -(edit.score or 0.0))
