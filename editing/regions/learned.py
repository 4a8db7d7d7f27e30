"""Regions by a network that sees the picture and the text: one box, in one pass."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from PIL import Image

from editing.boxes.geometry import Box
from editing.boxes.proposals import Proposals, propose
from editing.boxes.region_net import Logits
from editing.boxes.text_region_net import TextRegionNet, choose_box, read_edit
from editing.features.backbone import Backbone
from editing.features.clip import PatchClipSpace
from editing.pictures import picture_to_tensor, resize, working_sides
from editing.requests import Request


@dataclass(frozen=True, eq=False, kw_only=True)
class LearnedRegions:
    """The box of a picture that a trained network finds best for an edit.

    It looks where the backbone looks, and reads the prompt and the words that are exchanged. Boxes
    lie around `anchors` points (K), of `sizes` sizes (M) each.
    """

    backbone: Backbone
    clip: PatchClipSpace
    net: TextRegionNet
    anchors: int
    sizes: int

    def find(
        self, requests: Sequence[Request], generators: Sequence[torch.Generator]
    ) -> list[Image.Image]:
        """The box of each request; nothing in it is random.

        Raises:
            EditError: a request does not say what may change, or there are too few anchors.
        """
        return [self._find(request) for request in requests]

    def _find(self, request: Request) -> Image.Image:
        size = working_sides(
            request.image.size,
            shorter=self.net.picture_size,
            multiple=self.backbone.patch_size,
        )
        picture = picture_to_tensor(resize(request.image, size))
        proposals = propose(
            self.backbone,
            picture,
            anchors=self.anchors,
            sizes=self.sizes,
        )
        asked = read_edit(
            self.clip,
            picture,
            prompt=request.prompt,
            phrase=request.phrase(),
            grid=proposals.grid,
        )
        with torch.no_grad():
            logits = choose_box(self.net, proposals, asked)
        box = best_box(logits, proposals)
        return draw_box(box.scaled(size, request.image.size), request.image.size)


def best_box(logits: Logits, proposals: Proposals) -> Box:
    """The likeliest of all boxes."""
    anchor, size = divmod(int(logits.argmax()), logits.shape[1])
    return proposals.boxes[anchor][size]


def draw_box(box: Box, size: tuple[int, int]) -> Image.Image:
    """A box as the mask (L, 0 or 255) of a picture of `size` (width, height)."""
    mask = Image.new("L", size)
    mask.paste(255, (box.left, box.top, box.right, box.bottom))
    return mask
