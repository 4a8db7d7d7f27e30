"""The shards of one split of a data set that has some."""

from transforms.dataset.clean_schema import split_names, split_of_shard
from transforms.dataset.manifest import Manifest
from transforms.dataset.shards import ShardReceipt
from transforms.dataset.tables import DatasetError


def shards_of(manifest: Manifest, split: str | None) -> tuple[ShardReceipt, ...]:
    """The shards of one split of a data set; all for None.

    Raises:
        DatasetError: it has no such split.
    """
    if split is None:
        return manifest.shards
    names = split_names(manifest.configuration)
    if split not in names:
        raise DatasetError(f"split must be one of {', '.join(names) or 'none'}, got {split!r}")
    return tuple(s for s in manifest.shards if split_of_shard(s.number, s.of, names) == split)
