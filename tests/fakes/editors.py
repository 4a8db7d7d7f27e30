"""Editors, region finders and encoders that need no network."""

from dataclasses import dataclass, field

import numpy as np
import torch
from PIL import Image

from editing.editor import EditorSpec
from editing.requests import Edit, EditOutput, Request
from editing.settings import NoSettings


def seeded(seed: int = 0) -> torch.Generator:
    """A generator of that seed."""
    return torch.Generator().manual_seed(seed)


def half_mask(size: tuple[int, int]) -> Image.Image:
    """A mask with the left half inside."""
    pixels = np.zeros((size[1], size[0]), np.uint8)
    pixels[:, : size[0] // 2] = 255
    return Image.fromarray(pixels)


def same_pixels(one: Image.Image, other: Image.Image) -> bool:
    """Whether two pictures or masks are equal to the bit."""
    return np.array_equal(np.asarray(one), np.asarray(other))


@dataclass
class HalfSegmenter:
    """Finds everything in the left half; remembers which phrases it was asked for."""

    asked: list[str] = field(default_factory=list)

    def relevance(self, images, phrases):
        self.asked += phrases
        relevance = np.zeros((len(images), 8, 8), np.float32)
        relevance[:, :, :4] = 0.9
        return relevance


@dataclass
class HalfRegions:
    """A region finder that marks the left half; remembers requests and generators."""

    asked: list[Request] = field(default_factory=list)
    generators: list[torch.Generator] = field(default_factory=list)

    def find(self, requests, generators):
        self.asked += requests
        self.generators += generators
        return [half_mask(request.image.size) for request in requests]


@dataclass
class DrawingEditor:
    """Paints each picture in a grey that its generator draws; remembers what it was asked for.

    `edit_mask` is the mask that it says it used.
    """

    edit_mask: Image.Image | None = None
    asked: list[Request] = field(default_factory=list)
    settings: list[object] = field(default_factory=list)

    def edit(self, requests, settings, generators, on_step):
        self.asked += requests
        self.settings.append(settings)
        outputs = []
        for request, generator in zip(requests, generators, strict=True):
            grey = int(torch.randint(256, (1,), generator=generator))
            outputs.append(
                EditOutput(
                    (Edit(Image.new("RGB", request.image.size, (grey,) * 3)),), self.edit_mask
                )
            )
            on_step()
        return outputs


def drawing_spec(editor: DrawingEditor | None = None, **more: object) -> EditorSpec:
    """A spec of the editor `draw`."""
    made = editor or DrawingEditor()
    return EditorSpec(
        **{
            "name": "draw",
            "summary": "grey",
            "load": lambda _: made,
            "settings": NoSettings,
            **more,
        }
    )


class BrightEncoder:
    """Brightness for a picture's embedding: the brighter, the closer to any text."""

    dimension = 2

    def encode_images(self, images):
        angles = [np.asarray(image).mean() / 255 * np.pi / 2 for image in images]
        return np.array([[np.sin(each), np.cos(each)] for each in angles], np.float32)

    def encode_texts(self, texts):
        return np.array([[1, 0]] * len(texts), np.float32)
