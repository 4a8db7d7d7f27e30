"""Pairloom: edit pairs from any picture collection, and editors trained on them.

This package is the public face: everything a researcher needs under one name, and loaded when it
is first asked for, so that `import pairloom` itself costs nothing. What a stage is made of lies in
the packages `transforms`, `indexes`, `editing` and `pipelines`.

>>> import pairloom
>>> pairloom.__version__ >= "0.1"
True
>>> "sdedit" in pairloom.EDITORS
True

Every public name has such an example. Those that open a folder open what
`pairloom demo --sources 40 --pool 200 --out small` writes.
"""

import importlib
from typing import TYPE_CHECKING

from pairloom.own_packages import check_own_packages

if TYPE_CHECKING:
    from editing.loading import load_editor
    from editing.registry import EDITORS
    from indexes.errors import PairloomError
    from indexes.folder import PictureIndex, open_index
    from pairloom.preset_parts import load_captioner, load_encoder, load_segmenter
    from pipelines.sources import open_source
    from pipelines.still_life.source import StillLifeSource
    from transforms.candidate import Candidate, Scores
    from transforms.caption import Caption, TakeSourceCaptions
    from transforms.dataset.reader import open_pairs
    from transforms.dataset.shards import OutputShard
    from transforms.embed import EmbedImages, EmbedQueries
    from transforms.filter import Filter
    from transforms.filter_rules import FilterRule, read_rules
    from transforms.measure import Measure
    from transforms.measured import MeasuredImage
    from transforms.mine import Mine
    from transforms.near_copies.rule import NearCopyRule
    from transforms.presets import Preset, load_preset
    from transforms.read import Read, plan_batches
    from transforms.record import (
        Batch,
        EditExample,
        EditQuery,
        EmbeddedImage,
        Mask,
        Reject,
        SourceImage,
    )
    from transforms.retrieve import Retrieve, RetrieveOptions
    from transforms.rewrite import Rewrite
    from transforms.segment import Segment
    from transforms.select import Select, SelectionThresholds
    from transforms.sources.folder import FolderSource
    from transforms.sources.img2dataset import Img2DatasetSource
    from transforms.sources.laion import LaionMetadata
    from transforms.take_embeddings import TakeEmbeddings
    from transforms.words.caption_pairs import MineOptions
    from transforms.words.near_captions import NearCaptions
    from transforms.words.proposals import RewriteOptions
    from transforms.words.relations import LexiconRelations
    from transforms.write import Write
    from transforms.write_index import IndexShard, WriteIndexParts

    __version__: str

__all__ = [
    "EDITORS",
    "Batch",
    "Candidate",
    "Caption",
    "EditExample",
    "EditQuery",
    "EmbedImages",
    "EmbedQueries",
    "EmbeddedImage",
    "Filter",
    "FilterRule",
    "FolderSource",
    "Img2DatasetSource",
    "IndexShard",
    "LaionMetadata",
    "LexiconRelations",
    "Mask",
    "Measure",
    "MeasuredImage",
    "Mine",
    "MineOptions",
    "NearCaptions",
    "NearCopyRule",
    "OutputShard",
    "PairloomError",
    "PictureIndex",
    "Preset",
    "Read",
    "Reject",
    "Retrieve",
    "RetrieveOptions",
    "Rewrite",
    "RewriteOptions",
    "Scores",
    "Segment",
    "Select",
    "SelectionThresholds",
    "SourceImage",
    "StillLifeSource",
    "TakeEmbeddings",
    "TakeSourceCaptions",
    "Write",
    "WriteIndexParts",
    "__version__",
    "load_captioner",
    "load_editor",
    "load_encoder",
    "load_preset",
    "load_segmenter",
    "open_index",
    "open_pairs",
    "open_source",
    "plan_batches",
    "read_rules",
]

_NAMES_BY_MODULE: dict[str, tuple[str, ...]] = {
    "editing.loading": ("load_editor",),
    "editing.registry": ("EDITORS",),
    "indexes.errors": ("PairloomError",),
    "indexes.folder": ("PictureIndex", "open_index"),
    "pairloom.preset_parts": ("load_captioner", "load_encoder", "load_segmenter"),
    "pipelines.sources": ("open_source",),
    "pipelines.still_life.source": ("StillLifeSource",),
    "transforms.candidate": ("Candidate", "Scores"),
    "transforms.caption": ("Caption", "TakeSourceCaptions"),
    "transforms.dataset.reader": ("open_pairs",),
    "transforms.dataset.shards": ("OutputShard",),
    "transforms.embed": ("EmbedImages", "EmbedQueries"),
    "transforms.filter": ("Filter",),
    "transforms.filter_rules": ("FilterRule", "read_rules"),
    "transforms.measure": ("Measure",),
    "transforms.measured": ("MeasuredImage",),
    "transforms.mine": ("Mine",),
    "transforms.near_copies.rule": ("NearCopyRule",),
    "transforms.presets": ("Preset", "load_preset"),
    "transforms.read": ("Read", "plan_batches"),
    "transforms.record": (
        "Batch",
        "EditExample",
        "EditQuery",
        "EmbeddedImage",
        "Mask",
        "Reject",
        "SourceImage",
    ),
    "transforms.retrieve": ("Retrieve", "RetrieveOptions"),
    "transforms.rewrite": ("Rewrite",),
    "transforms.segment": ("Segment",),
    "transforms.select": ("Select", "SelectionThresholds"),
    "transforms.sources.folder": ("FolderSource",),
    "transforms.sources.img2dataset": ("Img2DatasetSource",),
    "transforms.sources.laion": ("LaionMetadata",),
    "transforms.take_embeddings": ("TakeEmbeddings",),
    "transforms.words.caption_pairs": ("MineOptions",),
    "transforms.words.near_captions": ("NearCaptions",),
    "transforms.words.proposals": ("RewriteOptions",),
    "transforms.words.relations": ("LexiconRelations",),
    "transforms.write": ("Write",),
    "transforms.write_index": ("IndexShard", "WriteIndexParts"),
}
_HOMES = {name: module for module, names in _NAMES_BY_MODULE.items() for name in names}

# Hidden from type checkers, which would take any misspelt name for one that this function knows.
if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        """A public name, imported from the module it lives in when it is first asked for.

        Raises:
            AttributeError: there is no such name.
            ImportError: another file hides one of our packages, or a library is missing.
        """
        if name not in __all__:
            raise AttributeError(f"module 'pairloom' has no attribute {name!r}")
        check_own_packages()
        if name == "__version__":
            value = importlib.import_module("indexes.names").installed_version()
        else:
            value = getattr(importlib.import_module(_HOMES[name]), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted(__all__)
