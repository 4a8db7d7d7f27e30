"""The editor `copy`."""

from collections.abc import Sequence

import torch

from editing.requests import Edit, EditOutput, OnStep, Request
from editing.settings import NoSettings


class CopyEditor:
    """Gives every source back as it is."""

    def edit(
        self,
        requests: Sequence[Request],
        settings: NoSettings,
        generators: Sequence[torch.Generator],
        on_step: OnStep,
    ) -> list[EditOutput]:
        """The sources."""
        return [EditOutput((Edit(request.image),)) for request in requests]
