"""Pairs of still lifes of which many are near-copies of one another, as a build makes them."""

import dataclasses
import hashlib
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from fakes import records, sealed
from indexes.names import NAME, installed_version
from stilllife.render import render
from stilllife.scene import PICTURE_SIZE, draw_scene
from transforms.dataset.folder import prepare_output, write_manifest
from transforms.dataset.manifest import Manifest, hash_configuration
from transforms.dataset.shard_contents import tabulate
from transforms.protocols import SourceError, SourceShard
from transforms.record import Batch, EditQuery, SourceImage, reject_source
from transforms.select import SelectionThresholds, baseline, select_batch
from transforms.write import write_shard

EDITS = 2
LANGUAGES = ("en", "de", None)
SIMILARITIES = (0.2, 0.28, 0.3, 0.35, None)
"""What picture n is said to be: the one at n modulo their number."""
CONFIGURATION = {
    "preset": "stilllife",
    "edits": EDITS,
    "thresholds": dataclasses.asdict(baseline()),
    "options": {"method": "search", "rewrite": {"edits": 4}, "seed": 3, "edits": EDITS},
    "source": {"kind": "fake"},
}


@dataclass(frozen=True)
class Copies:
    """Pictures: `originals` still lifes, and of each third one a copy through JPEG; picture n of
    `pictures` is `p{n}`."""

    originals: int
    seed: int = 0

    def pictures(self) -> list[tuple[int, bytes]]:
        """The original that each picture shows, and its bytes."""
        drawn = [render(draw_scene(self.seed, n)).png() for n in range(self.originals)]
        copies = [(n, recompress(drawn[n])) for n in range(0, self.originals, 3)]
        return [*enumerate(drawn), *copies]


def recompress(data: bytes, quality: int = 90) -> bytes:
    """A picture through JPEG, as a PNG."""
    jpeg, png = io.BytesIO(), io.BytesIO()
    Image.open(io.BytesIO(data), formats=["PNG"]).convert("RGB").save(jpeg, "JPEG", quality=quality)
    Image.open(jpeg, formats=["JPEG"]).save(png, "PNG")
    return png.getvalue()


@dataclass(frozen=True)
class PictureSource:
    """Some pictures as a source of one shard, under the keys `test-N`."""

    pictures: tuple[bytes, ...]

    def shards(self):
        return [SourceShard("tests", "tests", 0, len(self.pictures))]

    def read(self, shard):
        for position in range(shard.start, shard.stop):
            data = self.pictures[position]
            yield picture(f"test-{position}", position, shard.name, data)

    def open(self, reference):
        raise SourceError(f"{reference}: not asked for here")

    def describe(self):
        return {"kind": "pictures", "count": len(self.pictures)}


def picture(key: str, position: int, shard: str, data: bytes, **said) -> SourceImage:
    """A still life as its source reads it."""
    return SourceImage(
        key=key,
        shard=shard,
        position=position,
        reference=key,
        content_sha256=hashlib.sha256(data).hexdigest(),
        width=PICTURE_SIZE,
        height=PICTURE_SIZE,
        image=data,
        **{"caption": "a red apple", "caption_confidence": 0.9, "licence": "CC0", **said},
    )


def build(folder: Path, *, originals: int = 24, shards: int = 2, seed: int = 0) -> Manifest:
    """A finished data set of two edits a picture; every seventh picture was rejected."""
    pictures = Copies(originals, seed).pictures()
    opened = {f"p{n}": data for n, (_, data) in enumerate(pictures)}
    random = np.random.default_rng(seed)
    digest = hash_configuration(CONFIGURATION)
    prepare_output(folder, digest)
    cut = np.array_split(np.arange(len(pictures)), shards)
    receipts = []
    for shard, members in zip(records.output_shards(*map(len, cut)), cut, strict=True):
        done, considered = [], []
        for position, number in enumerate(members):
            said = {"language": LANGUAGES[number % 3], "similarity": SIMILARITIES[number % 5]}
            source = picture(f"p{number}", position, shard.name, pictures[number][1], **said)
            if number % 7 == 6:
                reject = reject_source(source, stage="caption", reason="empty_caption")
                done.append(Batch(shard.name, position, (), (reject,)))
                continue
            others = [n for n in range(len(pictures)) if n != number]
            targets = random.choice(others, EDITS, replace=False)
            asked = tuple(
                query(source, edit, int(target), pictures[target][1])
                for edit, target in enumerate(targets)
            )
            batch = Batch(shard.name, position, asked)
            chosen = select_batch(
                batch, SelectionThresholds(**CONFIGURATION["thresholds"]), edits=2
            )
            masks = records.mask(0.5, PICTURE_SIZE), records.mask(0.25, PICTURE_SIZE)
            marked = [
                dataclasses.replace(each, source_mask=masks[0], target_mask=masks[1])
                for each in chosen.records
            ]
            considered.append(tabulate(asked))
            done.append(dataclasses.replace(chosen, records=tuple(marked)))
        receipts.append(
            write_shard(
                folder,
                shard,
                done,
                considered=considered,
                open_source=opened.__getitem__,
                open_target=opened.__getitem__,
                configuration_hash=digest,
            )
        )
    made = records.manifest(receipts, CONFIGURATION)
    made = dataclasses.replace(made, software={NAME: installed_version()})
    write_manifest(folder, made)
    return made


def query(source: SourceImage, number: int, target: int, data: bytes) -> EditQuery:
    """Edit `number` of a source, to which picture `target` is the one candidate."""
    caption, prompt, old, new, phrase, other = sealed.EDITS[(source.position + number) % 3]
    asked = records.bare_query(
        dataclasses.replace(source, caption=caption),
        number=number,
        caption=caption,
        edit_prompt=prompt,
        source_word=old,
        target_word=new,
        source_phrase=phrase,
        target_phrase=other,
        source_synset="a.n.01",
        target_synset="b.n.01",
    )
    found = sealed.candidate(asked, 0, target)
    found = dataclasses.replace(
        found,
        key=f"p{target}",
        reference=f"p{target}",
        content_sha256=hashlib.sha256(data).hexdigest(),
        licence="CC0" if target % 2 else "CC-BY-4.0",
        language=LANGUAGES[target % 3],
        similarity=SIMILARITIES[target % 5],
        scores=dataclasses.replace(found.scores, margin=None),
    )
    return dataclasses.replace(asked, candidates=(found,))
