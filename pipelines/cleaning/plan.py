"""What a cleaned data set is made of and how: the plan, and the configuration that follows."""

from dataclasses import dataclass
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Any

from indexes.folder import PictureIndex, open_index
from indexes.groups import open_groups
from pipelines.cleaning.grouping import KnownGroups
from pipelines.cleaning.options import CleanOptions
from transforms.dataset.clean_schema import CLEAN, split_names
from transforms.dataset.files import OutputError, hash_file
from transforms.dataset.folder import is_completed
from transforms.dataset.manifest import MANIFEST, Manifest, load_manifest
from transforms.models.files import identity
from transforms.presets import Preset
from transforms.protocols import Source
from transforms.sources.listing import list_source


@dataclass(frozen=True, kw_only=True)
class CleanPlan:
    """All that decides a cleaned data set: its parent, the options, and what is looked at with.

    `preset`'s encoder embeds pictures; None where nothing needs it. `index` is that of the pairs,
    whose groups are kept joined where it has some. `aesthetic` is a file of an aesthetic head.
    `against` holds test pictures that pairs must not have near-copies of.
    """

    folder: Path
    out: Path
    options: CleanOptions
    preset: Preset | None = None
    index: str | None = None
    aesthetic: Path | None = None
    against: Source | None = None

    @cached_property
    def parent(self) -> Manifest:
        """The manifest of the data set that is cleaned.

        Raises:
            OutputError: it is not finished.
        """
        manifest = load_manifest(self.folder)
        if not is_completed(self.folder):
            raise OutputError(f"{self.folder} must hold a finished data set, COMPLETED is missing")
        return manifest

    @property
    def lineage(self) -> dict[str, str]:
        """The data set that is cleaned, as manifests name it."""
        return {
            "configuration_hash": self.parent.configuration_hash,
            "manifest_sha256": hash_file(self.folder / MANIFEST),
        }

    @property
    def layout(self) -> tuple[str, ...]:
        """The splits of the result, in the order of its shards."""
        return tuple(self.options.splits) or split_names(self.parent.configuration)

    @property
    def needs_pictures(self) -> bool:
        """Whether pictures are looked at."""
        options = self.options
        return options.needs_groups or options.needs_measures or self.against is not None

    @cached_property
    def known_groups(self) -> KnownGroups | None:
        """The groups of the index, where it has some.

        Raises:
            IndexFolderError: it cannot be opened.
        """
        if self.index is None:
            return None
        index: PictureIndex = open_index(self.index)
        groups = open_groups(index.folder)
        return None if groups is None else KnownGroups(index, groups)

    @cached_property
    def configuration(self) -> dict[str, Any]:
        """The configuration of the result.

        Raises:
            ModelError, SourceError, OutputError: something it names cannot be read.
        """
        before = self.parent.configuration.get(CLEAN)
        known = self.known_groups
        said: dict[str, Any] = {
            **self.options.describe(),
            "layout": list(self.layout),
            "parent": self.lineage,
            "pairs_before": self.parent.counts.pairs,
            "encoder": self._encoder,
            "imagehash": metadata.version("ImageHash") if self.needs_pictures else None,
            "index": None if known is None else known.index.identity,
            "aesthetic": None if self.aesthetic is None else hash_file(self.aesthetic),
            "against": self._against,
            "before": before,
        }
        return {**self.parent.configuration, CLEAN: said}

    @property
    def _encoder(self) -> str | None:
        if self.preset is None or not self.needs_pictures:
            return None
        return identity(self.preset.encoder)

    @property
    def _against(self) -> dict[str, Any] | None:
        if self.against is None:
            return None
        listing = list_source(self.against)
        mark = None if listing is None else listing.fingerprint
        return {"source": self.against.describe(), "fingerprint": mark}
