"""The editor `retrieve`."""

from collections.abc import Sequence

import torch
from PIL import Image

from editing.errors import EditError
from editing.pictures import resize
from editing.requests import Edit, EditOutput, OnStep, Request
from editing.settings import NoSettings


class RetrieveEditor:
    """Gives the pseudo-target of every request, at the source's size."""

    def edit(
        self,
        requests: Sequence[Request],
        settings: NoSettings,
        generators: Sequence[torch.Generator],
        on_step: OnStep,
    ) -> list[EditOutput]:
        """The pseudo-targets.

        Raises:
            EditError: a request has none.
        """
        return [EditOutput((Edit(_pseudo_target(request)),)) for request in requests]


def _pseudo_target(request: Request) -> Image.Image:
    if request.pseudo_target_image is None:
        raise EditError("retrieve needs a pseudo_target_image")
    return resize(request.pseudo_target_image, request.image.size)
