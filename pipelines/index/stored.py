"""Embeddings that clip-retrieval made of the pictures, in place of the preset's encoding."""

from itertools import chain, islice
from pathlib import Path

from indexes.clip_retrieval import StoredEmbeddings, embedding_files, open_embeddings
from indexes.layout import EMBEDDING_FOLDER, METADATA_FOLDER
from indexes.storage.paths import as_path
from transforms.models.loading import LoadEncoder
from transforms.presets import Preset
from transforms.protocols import Source
from transforms.record import SourceImage
from transforms.sources.listing import list_archives
from transforms.take_embeddings import OtherEncoderError, names_of, refuse_other_encoder

COMPARED = 8
"""So many pictures are encoded again, to see whether the embeddings are the preset's."""

_LOOKED_AT = 1000


def describe_embeddings(folder: str) -> dict[str, object]:
    """What the index says of the embeddings that it was made of.

    Raises:
        IndexFolderError: there are none.
    """
    path = as_path(folder).resolve()
    return {"path": str(path), "fingerprint": list_archives(embedding_files(path)).fingerprint}


def open_checked(folder: str, source: Source, preset: Preset) -> StoredEmbeddings:
    """The embeddings in `folder`, which are of pictures of `source` and made by `preset`'s encoder.

    Raises:
        IndexFolderError, SourceError, ModelError: something cannot be read.
        OtherEncoderError: the embeddings are of other pictures, or of another encoder.
    """
    stored = open_embeddings(folder)
    rows = chain.from_iterable(source.read(shard) for shard in source.shards())
    compared = []
    for row in islice(rows, _LOOKED_AT):
        if isinstance(row, SourceImage) and stored.find(names_of(row)) is not None:
            compared.append(row)
            if len(compared) == COMPARED:
                break
    if not compared:
        raise OtherEncoderError(
            f"{folder} has embeddings of none of the first {_LOOKED_AT} pictures: it must be of "
            "the same collection, with image_path the picture's file or its key"
        )
    refuse_other_encoder(compared, stored, LoadEncoder(preset.encoder)(), where=folder)
    return stored


def looks_like_embeddings(folder: Path) -> bool:
    """Whether `folder` is one that clip-retrieval wrote, and so no collection of pictures."""
    return (folder / METADATA_FOLDER).is_dir() and (
        (folder / EMBEDDING_FOLDER).is_dir() or (folder / "image.index").is_file()
    )
