"""A small pool of drawn pictures, a stand-in encoder, and an index of them."""

import dataclasses
import hashlib
import io

import numpy as np
from PIL import Image, ImageDraw

from fakes.pictures import encoded
from fakes.records import bare_query, bare_source
from indexes.folder import open_index
from indexes.layout import Part, fingerprint
from indexes.life_cycle import begin_index, finish_index
from indexes.parts import PartContents, PictureMetadata, write_part
from transforms.pictures.structure import structure_map
from transforms.scores import as_bytes

DIMENSION = 16
DESCRIPTION = {"encoder": "fake@1", "captioner": "fake@1", "source": {"kind": "drawn"}}
MARK = fingerprint(DESCRIPTION)
COLOURS = {"red": (200, 30, 30), "green": (30, 180, 60), "blue": (40, 60, 210)}


class FakeEncoder:
    """Words are random directions; a picture is its mean colour and a little of where it is."""

    dimension = DIMENSION

    def __init__(self):
        self.pictures_seen = 0
        self.texts_seen = 0

    def encode_images(self, images):
        self.pictures_seen += len(images)
        small = [np.asarray(image.resize((4, 4)), dtype=np.float64) for image in images]
        rng = np.random.default_rng(1)
        projection = rng.normal(size=(48, DIMENSION))
        return np.stack([_unit((each.ravel() - 128) @ projection) for each in small])

    def encode_texts(self, texts):
        self.texts_seen += len(texts)
        return np.stack([_unit(sum(map(_word, text.split()))) for text in texts])


def _word(word):
    seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:4], "little")
    return np.random.default_rng(seed).normal(size=DIMENSION)


def _unit(vector):
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def unit_vectors(count, dimension=DIMENSION, seed=0):
    vectors = np.random.default_rng(seed).normal(size=(count, dimension))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def draw(colour, x, y, *, radius=12, ground=(225, 225, 220)):
    image = Image.new("RGB", (64, 64), ground)
    box = (x - radius, y - radius, x + radius, y + radius)
    ImageDraw.Draw(image).ellipse(box, fill=COLOURS.get(colour, colour))
    return image


def picture(key, image, caption=None, **fields):
    data = image if isinstance(image, bytes) else encoded(image)
    known = {"shard": "s0", "reference": f"memory:{key}", "width": 64, "height": 64}
    known["content_sha256"] = hashlib.sha256(data).hexdigest()
    return bare_source(**{**known, **fields}, key=key, image=data, caption=caption)


def query(source, edit_prompt, source_word="red", target_word="green", **fields):
    return bare_query(
        source,
        caption=source.caption,
        edit_prompt=edit_prompt,
        source_word=source_word,
        target_word=target_word,
        source_phrase=source_word,
        target_phrase=target_word,
        part_of_speech="adjective",
        **fields,
    )


def embedded(edit, encoder=None):
    encoder = encoder or FakeEncoder()
    image = Image.open(io.BytesIO(edit.source.image))
    return dataclasses.replace(
        edit,
        source_embedding=as_bytes(encoder.encode_images([image])[0]),
        source_structure=structure_map(image),
        caption_embedding=as_bytes(encoder.encode_texts([edit.caption])[0]),
        edit_embedding=as_bytes(encoder.encode_texts([edit.edit_prompt])[0]),
    )


def metadata(source):
    names = [field.name for field in dataclasses.fields(PictureMetadata)]
    return PictureMetadata(**{name: getattr(source, name) for name in names})


def part_contents(sources, encoder=None, counts=None):
    """The part that holds `sources`."""
    encoder = encoder or FakeEncoder()
    images = [Image.open(io.BytesIO(source.image)) for source in sources]
    maps = [np.frombuffer(structure_map(image), dtype=np.uint8) for image in images]
    return PartContents(
        metadata=[metadata(source) for source in sources],
        embeddings=(
            encoder.encode_images(images) if images else np.empty((0, DIMENSION), np.float32)
        ),
        structures=np.stack(maps) if maps else np.empty((0, 256), np.uint8),
        counts=counts if counts is not None else {"pictures": len(sources)},
    )


def build_index(folder, shards, *, description=None, choice=None):
    """An index of `shards` (lists of SourceImage), finished and open."""
    description = description or DESCRIPTION
    begin_index(folder, description)
    for number, sources in enumerate(shards):
        part = Part(number, len(shards))
        write_part(folder, part, part_contents(sources), fingerprint=fingerprint(description))
    finish_index(folder, parts=len(shards), choice=choice)
    return open_index(folder)


def small_pool():
    """Twelve discs: three colours in each of four corners, captioned by colour and side."""
    pool = []
    for colour in COLOURS:
        for x, y in ((18, 18), (18, 46), (46, 18), (46, 46)):
            side = "left" if x < 32 else "right"
            caption = f"a {colour} disc on the {side}"
            key = f"{colour}-{x}-{y}"
            pool.append(picture(key, draw(colour, x, y), caption, caption_confidence=0.9))
    return pool
