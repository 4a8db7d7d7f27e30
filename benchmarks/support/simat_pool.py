"""Still lifes as an index has them, without an index: embeddings, structure maps, truth."""

from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from indexes.search import Rows, Vectors
from stilllife.render import render
from stilllife.scene import Scene
from stilllife.truth import PictureId
from transforms.models.loading import load_encoder
from transforms.models.spec import ModelSpec
from transforms.pictures.structure import structure_map
from transforms.protocols import Encoder

AT_ONCE = 64
HALF = 50
"""Percent of the pictures that have two things."""


@dataclass(frozen=True, kw_only=True, eq=False)
class DrawnPool:
    """Pictures of the still life: what they show, and what an encoder and structure maps say.

    `vectors` is (n, d), `maps` (n, 256).
    """

    pictures: tuple[PictureId, ...]
    scenes: tuple[Scene, ...]
    vectors: Vectors
    maps: npt.NDArray[np.uint8]

    @property
    def folder(self) -> Path:
        """Where they would lie."""
        return Path("still-life")

    def captions(self) -> list[str]:
        """What each picture truly shows."""
        return [scene.caption() for scene in self.scenes]

    def embeddings(self, rows: Rows) -> Vectors:
        """The embeddings of some."""
        return self.vectors[rows]


def load_batch_encoder(spec: ModelSpec) -> Encoder:
    """The encoder of a spec, which sees `AT_ONCE` pictures or texts together."""
    options = dict(spec.options) | {"batch_size": AT_ONCE}
    return load_encoder(
        ModelSpec(
            loader=spec.loader,
            location=spec.location,
            revision=spec.revision,
            options=tuple(options.items()),
        )
    )


def draw_pool(count: int, encoder: Encoder, *, seed: int) -> DrawnPool:
    """The first `count` pictures of a seed, half of them with two things."""
    pictures = tuple(PictureId(seed, HALF, number) for number in range(count))
    scenes = tuple(picture.scene() for picture in pictures)
    vectors, maps, rendered = [], [], (Image.fromarray(render(each).pixels) for each in scenes)
    while some := list(islice(rendered, AT_ONCE)):
        vectors.append(encoder.encode_images(some))
        maps += [np.frombuffer(structure_map(image), np.uint8) for image in some]
    return DrawnPool(
        pictures=pictures, scenes=scenes, vectors=np.concatenate(vectors), maps=np.stack(maps)
    )
