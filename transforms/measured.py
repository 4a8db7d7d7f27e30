"""A picture with all that is measured of it: what filters and groups of near-copies are made of."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from transforms.record import EmbeddedImage


@dataclass(frozen=True, kw_only=True)
class MeasuredImage:
    """An embedded picture, its fingerprint and its values by name.

    `values` has those of `transforms.filter_rules.VALUES` that are known.

    >>> from pairloom import Batch, MeasuredImage, StillLifeSource, load_encoder
    >>> from transforms.embed import embed_images_batch
    >>> from transforms.measure import measure_batch
    >>> source = StillLifeSource(count=1)
    >>> [shard] = source.shards()
    >>> batch = Batch(shard.name, 0, tuple(source.read(shard)))
    >>> embedded = embed_images_batch(batch, load_encoder("stilllife"))
    >>> [measured] = measure_batch(embedded).records
    >>> isinstance(measured, MeasuredImage), len(measured.fingerprint)
    (True, 608)
    >>> measured.values["licence"], measured.values["width"]
    ('Apache-2.0', 64)
    """

    embedded: EmbeddedImage
    fingerprint: bytes
    values: Mapping[str, str | float | None] = field(default_factory=dict)
