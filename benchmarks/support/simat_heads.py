"""Adaptation heads for SIMAT's benchmark: trained as by users, over encoders made worse."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from accelerate import Accelerator
from PIL import Image

from editing.editors.simat.objective import HeadObjective
from editing.editors.simat.settings import HeadTraining
from editing.training.embedding_stream import EmbeddingStream
from editing.training.loop_settings import LoopSettings
from editing.training.trainer import Trainer
from indexes.search import Rows, Vectors
from support.simat_pool import DrawnPool
from transforms.models.adaptation_heads import AdaptationHeads
from transforms.protocols import Encoder


@dataclass(frozen=True, kw_only=True)
class Distortion:
    """What is done to an encoder's embeddings, so that it is another encoder's case.

    To pictures' and texts' embeddings a direction of their own is added, `image_gap` and `text_gap`
    long: all pictures then lie in one cone and all texts in another, as in CLIP trained on the web,
    and the narrower the cone, the shorter are differences in it. `noise` is the length of a random
    vector, its own for every picture and text, that stands for an encoder that sees and reads less.
    """

    image_gap: float = 0.0
    text_gap: float = 0.0
    noise: float = 0.0

    def images(self, vectors: Vectors, rows: Rows) -> Vectors:
        """The embeddings of pictures; `rows` are their numbers, which draw their noise."""
        return self._apply(vectors, self.image_gap, 0, rows.tolist())

    def texts(self, vectors: Vectors, texts: Sequence[str]) -> Vectors:
        """The embeddings of texts."""
        drawn = [int.from_bytes(text.encode()[-40:], "big") % 2**63 for text in texts]
        return self._apply(vectors, self.text_gap, 1, drawn)

    def _apply(self, vectors: Vectors, gap: float, axis: int, drawn: Sequence[int]) -> Vectors:
        dimension = vectors.shape[1]
        directions, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(dimension, 2)))
        moved = vectors.astype(np.float64) + gap * directions[:, axis]
        if self.noise:
            noise = [np.random.default_rng([axis, one]).normal(size=dimension) for one in drawn]
            moved += self.noise * np.stack(noise) / np.sqrt(dimension)
        unit: Vectors = (moved / np.linalg.norm(moved, axis=1, keepdims=True)).astype(np.float32)
        return unit


class RememberingEncoder:
    """An encoder that reads no text twice: many heads are trained on the same captions."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._known: dict[str, Vectors] = {}

    @property
    def dimension(self) -> int:
        """Length of an embedding."""
        return self._encoder.dimension

    def encode_images(self, images: Sequence[Image.Image]) -> Vectors:
        """Embeddings of pictures."""
        return self._encoder.encode_images(images)

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """Embeddings of texts."""
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        if new:
            self._known |= dict(zip(new, self._encoder.encode_texts(new), strict=True))
        return np.stack([self._known[text] for text in texts])


@dataclass(frozen=True, eq=False)
class DistortedEncoder:
    """An encoder whose embeddings are distorted."""

    encoder: Encoder
    distortion: Distortion

    @property
    def dimension(self) -> int:
        """Length of an embedding."""
        return self.encoder.dimension

    def encode_images(self, images: Sequence[Image.Image]) -> Vectors:
        """Embeddings of pictures, numbered as they come."""
        return self.distortion.images(self.encoder.encode_images(images), np.arange(len(images)))

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """Embeddings of texts."""
        return self.distortion.texts(self.encoder.encode_texts(texts), texts)


@dataclass(frozen=True, eq=False)
class DistortedPool:
    """A pool whose embeddings are distorted, to train on."""

    pool: DrawnPool
    distortion: Distortion

    @property
    def folder(self) -> Path:
        """Where the pool would lie."""
        return self.pool.folder

    def captions(self) -> list[str]:
        """What its pictures show."""
        return self.pool.captions()

    def embeddings(self, rows: Rows) -> Vectors:
        """The embeddings of some."""
        return self.distortion.images(self.pool.embeddings(rows), rows)


def train_heads(
    pool: DrawnPool,
    encoder: Encoder,
    settings: HeadTraining,
    *,
    distortion: Distortion,
    steps: int,
    batch_size: int,
    seed: int,
) -> AdaptationHeads:
    """Heads over a distorted encoder, trained on a pool as `pairloom train` does it on an index."""
    objective = HeadObjective(
        encoder=DistortedEncoder(encoder, distortion), identity="distorted", settings=settings
    )
    loop = LoopSettings(
        steps=steps,
        batch_size=batch_size,
        learning_rate=1e-3,
        weight_decay=0.0,
        seed=seed,
        checkpoint_every=steps,
        gradients_every=steps,
    )
    stream = EmbeddingStream(DistortedPool(pool, distortion), batch_size=batch_size, seed=seed)
    with tempfile.TemporaryDirectory(prefix="pairloom-benchmark-") as folder:
        trainer = Trainer(objective, loop, Accelerator(), folder=Path(folder), identities=("",))
        trainer.run(0, stream.batches(), on_step=_quietly, on_sample=_quietly)
    return objective.heads()


def _quietly(_: object) -> None:
    """A benchmark tells of its runs together."""
