"""Records and pictures for the tests of schema, sink, verify and rethreshold."""

import hashlib
from dataclasses import dataclass, replace

import numpy as np

from fakes.pictures import encoded, picture_bytes
from transforms.dataset.manifest import Manifest, hash_configuration
from transforms.dataset.shards import OutputShard
from transforms.protocols import SourceError
from transforms.record import (
    Batch,
    Candidate,
    EditExample,
    EditQuery,
    Mask,
    Reject,
    Scores,
    SourceImage,
    reject_query,
    reject_source,
)

SIZE = 24
CONFIGURATION = {"preset": "fake", "seed": 3, "thresholds": {"structure": 0.2}}
HASH = hash_configuration(CONFIGURATION)


def picture(seed):
    """Bytes of a small PNG that differs from one `seed` to the next."""
    return picture_bytes(seed, size=(SIZE, SIZE))


def mask(share=0.5, size=SIZE):
    """A mask whose upper `share` is marked."""
    pixels = np.zeros((size, size), np.uint8)
    pixels[: round(size * share)] = 255
    return Mask(png=encoded(pixels), area=share, confidence=0.75)


@dataclass(frozen=True)
class FakeSource:
    """Opens `picture-N` as `picture(N)`; `gone` references are no longer there."""

    gone: tuple[str, ...] = ()

    def shards(self):
        return []

    def read(self, shard):
        return iter(())

    def open(self, reference):
        if reference in self.gone:
            raise SourceError(f"{reference}: gone")
        return picture(int(reference.removeprefix("picture-")))

    def describe(self):
        return {"kind": "fake"}


def bare_source(**fields):
    """A picture of which only `fields` are of interest."""
    known = {"key": "k", "shard": "s", "position": 0, "reference": "", "content_sha256": ""}
    return SourceImage(**{"width": 16, "height": 16, **known, **fields})


def bare_query(source, **fields):
    """An edit of which only `fields` are of interest."""
    texts = ("caption", "edit_prompt", "source_word", "target_word", "source_phrase")
    texts += ("target_phrase", "source_synset", "target_synset")
    known = {"number": 0, "relation": "co-hyponym", "part_of_speech": "noun"}
    return EditQuery(source=source, **{**dict.fromkeys(texts, ""), **known, **fields})


def read_all(source):
    """Every row that a source reads."""
    return [row for shard in source.shards() for row in source.read(shard)]


def source(position, shard="s0"):
    data = picture(position)
    return SourceImage(
        key=f"{shard}-key-{position}",
        shard=shard,
        position=position,
        reference=f"picture-{position}",
        content_sha256=hashlib.sha256(data).hexdigest(),
        width=SIZE,
        height=SIZE,
        image=data,
        caption="a red apple",
        caption_confidence=0.9,
        licence="CC0",
    )


def candidate(number, rank=0, structure=0.9):
    return Candidate(
        row=number,
        key=f"pool-{number}",
        reference=f"picture-{number}",
        content_sha256=hashlib.sha256(picture(number)).hexdigest(),
        caption="a red pear",
        caption_confidence=0.8,
        scores=Scores(retrieval=1 - rank / 10, rank=rank, margin=0.1, structure=structure),
    )


def query(position, number=0, shard="s0", candidates=None):
    return EditQuery(
        source=source(position, shard),
        number=number,
        caption="a red apple",
        edit_prompt="a red pear",
        source_word="apple",
        target_word="pear",
        source_phrase="apple",
        target_phrase="pear",
        relation="co-hyponym",
        part_of_speech="noun",
        source_synset="apple.n.01",
        target_synset="pear.n.01",
        alternatives=2,
        source_embedding=b"\0" * 16,
        caption_embedding=b"\1" * 16,
        candidates=(
            (candidate(1000 + position), candidate(2000 + position, 1, 0.4))
            if candidates is None
            else candidates
        ),
    )


def example(position, number=0, shard="s0"):
    asked = query(position, number, shard)
    return EditExample(
        query=asked, target=asked.candidates[0], source_mask=mask(0.5), target_mask=mask(0.25)
    )


def batches(shard="s0", count=10, size=4):
    """Finished and considered batches: every 5th picture unreadable, every 4th edit rejected."""
    finished, considered = [], []
    for start in range(0, count, size):
        records, rejects, queries = [], [], []
        for position in range(start, min(start + size, count)):
            if position % 5 == 4:
                where = source(position, shard)
                rejects.append(reject_source(where, stage="read", reason="not_an_image"))
                continue
            asked = query(position, shard=shard)
            queries.append(asked)
            if position % 4 == 3:
                best = asked.candidates[0]
                rejects.append(
                    reject_query(asked, stage="select", reason="too_far", candidate=best)
                )
            else:
                records.append(example(position, shard=shard))
        number = start // size
        finished.append(Batch(shard, number, tuple(records), tuple(rejects)))
        considered.append(Batch(shard, number, tuple(queries)))
    return finished, considered


def output_shards(*sources):
    """Output shards with these numbers of sources, named s0, s1, ..."""
    return [
        OutputShard(number, len(sources), f"s{number}", count)
        for number, count in enumerate(sources)
    ]


def manifest(receipts, configuration=None):
    return Manifest(
        configuration=CONFIGURATION if configuration is None else configuration,
        source={"kind": "fake"},
        pool={"kind": "fake"},
        seed=3,
        models={"captioner": {"id": "fake-captioner", "revision": "1"}},
        software={"python": "3"},
        shards=tuple(receipts),
    )


def a_reject(**changes):
    fields = {"key": "k", "shard": "s0", "position": 0, "stage": "read", "reason": "empty"}
    return Reject(**{**fields, **changes})


def with_keys(batch, key_of):
    """`batch` with `key_of(shard, position)` for the key of each source."""

    def renamed(picture):
        return replace(picture, key=key_of(picture.shard, picture.position))

    def changed(record):
        if isinstance(record, EditExample):
            return replace(record, query=changed(record.query))
        return replace(record, source=renamed(record.source))

    return replace(
        batch,
        records=tuple(map(changed, batch.records)),
        rejects=tuple(map(renamed, batch.rejects)),
    )


def build(folder, counts=(10, 7), configuration=None, *, key_of=None):
    """A finished data set in `folder`, written by a plain loop; its manifest.

    `key_of(shard, position)` gives other keys to the sources.
    """
    from transforms.dataset.folder import prepare_output, write_manifest
    from transforms.dataset.shard_contents import tabulate
    from transforms.write import write_shard

    configuration = CONFIGURATION if configuration is None else configuration
    digest = hash_configuration(configuration)
    prepare_output(folder, digest)
    receipts = []
    for shard in output_shards(*counts):
        finished, considered = batches(shard.name, shard.sources)
        if key_of is not None:
            finished = [with_keys(batch, key_of) for batch in finished]
            considered = [with_keys(batch, key_of) for batch in considered]
        receipts.append(
            write_shard(
                folder,
                shard,
                finished,
                considered=[tabulate(batch.records) for batch in considered],
                open_source=FakeSource().open,
                open_target=FakeSource().open,
                configuration_hash=digest,
            )
        )
    made = manifest(receipts, configuration)
    write_manifest(folder, made)
    return made
