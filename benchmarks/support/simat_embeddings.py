"""Embeddings of the public SIMAT set: made by an encoder of the pictures' crops, or one's own."""

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from editing.editors.simat.query_set import QuerySet
from editing.editors.simat.scoring import SetEmbeddings, Truth
from editing.editors.simat.tables import Crop, TablesError
from indexes.search import Vectors
from transforms.pictures.decoding import PictureError, decode
from transforms.protocols import Encoder

AT_ONCE = 64
ARRAYS = ("regions", "images", "captions", "words", "word_embeddings")
"""What a file of embeddings holds: names and vectors of pictures and words, and of all captions."""


def encode_set(
    queries: QuerySet, encoder: Encoder, pictures: Iterator[Image.Image]
) -> SetEmbeddings:
    """The embeddings of a set by an encoder; `pictures` come in the order of the set's."""
    found = []
    while some := list(islice(pictures, AT_ONCE)):
        found.append(encoder.encode_images(some))
    images = np.concatenate(found)
    words = queries.words()
    return SetEmbeddings(
        images=images,
        captions=encoder.encode_texts(queries.captions),
        words=dict(zip(words, encoder.encode_texts(words), strict=True)),
    )


def open_pictures(queries: QuerySet, folder: Path) -> Iterator[Image.Image]:
    """The pictures of a folder that are called after the set's regions, such as `61.png`.

    Raises:
        TablesError: one is missing or is no picture.
    """
    for region in queries.pictures:
        found = sorted(folder.glob(f"{region}.*"))
        if not found:
            raise TablesError(f"{folder} must hold a picture {region}.png")
        yield _read(found[0])


def crop_pictures(queries: QuerySet, crops: dict[str, Crop], folder: Path) -> Iterator[Image.Image]:
    """The parts that the set shows of the pictures of Visual Genome in a folder.

    Raises:
        TablesError: one is missing, or is no picture.
    """
    for region in queries.pictures:
        if region not in crops:
            raise TablesError(f"the retrieval table must have the region {region}")
        crop = crops[region]
        yield _read(folder / f"{crop.image_id}.jpg").crop(crop.box)


def _read(path: Path) -> Image.Image:
    try:
        return decode(path.read_bytes())
    except (OSError, PictureError) as error:
        raise TablesError(f"{path}: cannot be read ({error})") from error


def save_embeddings(path: Path, queries: QuerySet, embeddings: SetEmbeddings) -> None:
    """Writes embeddings as `read_embeddings` reads them."""
    words = list(embeddings.words)
    np.savez(
        path,
        regions=np.array(queries.pictures),
        images=embeddings.images,
        captions=embeddings.captions,
        words=np.array(words),
        word_embeddings=np.stack([embeddings.words[word] for word in words]),
    )


def read_embeddings(path: Path, queries: QuerySet) -> SetEmbeddings:
    """The embeddings in a .npz file of `ARRAYS`, of whatever length, brought to length 1.

    Raises:
        TablesError: it is none, or lacks a picture, a caption or a word of the set.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in ARRAYS}
    except (OSError, ValueError, KeyError) as error:
        raise TablesError(f"{path} must be a .npz file of {', '.join(ARRAYS)}: {error}") from error
    places = {str(region): place for place, region in enumerate(arrays["regions"])}
    missing = [region for region in queries.pictures if region not in places]
    known = {str(word): place for place, word in enumerate(arrays["words"])}
    missing += [word for word in queries.words() if word not in known]
    if missing:
        raise TablesError(
            f"{path} must have embeddings of {missing[0]} and {len(missing) - 1} more"
        )
    if len(arrays["captions"]) != len(queries.captions):
        raise TablesError(
            f"{path} must have {len(queries.captions)} captions, got {len(arrays['captions'])}"
        )
    words = _unit(arrays["word_embeddings"])
    return SetEmbeddings(
        images=_unit(arrays["images"][_rows(queries.pictures, places)]),
        captions=_unit(arrays["captions"]),
        words={word: words[known[word]] for word in queries.words()},
    )


def _rows(names: Sequence[str], places: dict[str, int]) -> list[int]:
    return [places[name] for name in names]


def _unit(vectors: npt.NDArray[np.float32]) -> Vectors:
    wide = vectors.astype(np.float64)
    unit: Vectors = (wide / np.linalg.norm(wide, axis=1, keepdims=True)).astype(np.float32)
    return unit


def read_oracle(path: Path, queries: QuerySet) -> Truth:
    """P(picture shows caption), (pictures, captions): a .npy file, or a tensor as torch saves it.

    Raises:
        TablesError: it is none, or of another shape.
    """
    try:
        if path.suffix == ".npy":
            found = np.load(path, allow_pickle=False)
        else:
            import torch

            found = torch.load(path, map_location="cpu", weights_only=True).numpy()
    except (OSError, ValueError, RuntimeError, AttributeError) as error:
        raise TablesError(f"{path}: cannot be read ({type(error).__name__})") from error
    wanted = (len(queries.pictures), len(queries.captions))
    if found.shape != wanted:
        raise TablesError(f"{path} must have shape {wanted}, got {found.shape}")
    matrix: Truth = found.astype(np.float64)
    return matrix
