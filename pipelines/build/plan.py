"""What a build reads, how it chooses and where it writes: the options and the plan."""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from editing.regions.registry import REGIONS
from indexes.folder import PictureIndex, open_index
from indexes.knn_service import KnnService
from indexes.layout import IndexFolderError
from indexes.storage.paths import as_path
from pipelines.build.regions import BY_SEGMENTER, describe_pair_settings, region_parts
from transforms.caption import CAPTIONS, captioner_identity
from transforms.dataset.manifest import hash_configuration
from transforms.filter_rules import SOURCE_FILTERS, FilterRule, rule_texts
from transforms.models.adaptation_heads import LOADER as HEADS
from transforms.models.adaptation_heads import load_heads
from transforms.models.devices import PLACEMENTS
from transforms.models.files import identity
from transforms.models.spec import ModelSpec
from transforms.presets import PIPELINE_PARTS, Preset
from transforms.protocols import Source
from transforms.record import SEARCH_METHODS
from transforms.retrieve import RetrieveOptions
from transforms.rewrite import RewriteOptions
from transforms.select import SelectionThresholds
from transforms.words.judging import BY_CAPTIONER, BY_ENCODER

SENSES = ("frequency", "picture")


@dataclass(frozen=True, kw_only=True)
class BuildOptions:
    """All choices of a build but source, index and models.

    At most `edits` pairs are written for a source, out of `rewrite.edits` proposals tried in turn.
    `captions` is `model`, or `source` to keep the source's own. `method` is `search` (Rewrite
    proposes edits, Retrieve looks for pictures of them) or `mine` (Mine joins captions that differ
    in one noun phrase). `senses` says what decides which sense of a word is meant: `frequency`
    and the words around it alone, or the `picture` as well. `regions` makes the masks, a key of
    `editing.regions.registry.REGIONS`. `batch_size` pictures go through a
    model together; float results depend on it, so it is part of the configuration. Pictures that
    break one of `source_filters` are rejects as soon as they are read.
    """

    seed: int = 0
    edits: int = 1
    captions: str = "model"
    method: str = "search"
    senses: str = "frequency"
    regions: str = BY_SEGMENTER
    batch_size: int = 32
    rewrite: RewriteOptions = field(default_factory=RewriteOptions)
    retrieve: RetrieveOptions = field(default_factory=RetrieveOptions)
    thresholds: SelectionThresholds = field(default_factory=SelectionThresholds)
    source_filters: Mapping[str, FilterRule] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.captions not in CAPTIONS:
            raise ValueError(f"captions must be {' or '.join(CAPTIONS)}, got {self.captions!r}")
        if self.method not in SEARCH_METHODS:
            raise ValueError(f"method must be one of {SEARCH_METHODS}, got {self.method!r}")
        if self.senses not in SENSES:
            raise ValueError(f"senses must be one of {SENSES}, got {self.senses!r}")
        if self.regions not in REGIONS:
            raise ValueError(f"regions must be one of {', '.join(REGIONS)}, got {self.regions!r}")
        if self.edits < 1:
            raise ValueError(f"edits must be at least 1, got {self.edits}")
        if self.rewrite.edits < self.edits:
            raise ValueError(
                f"attempts must be at least edits ({self.edits}), got {self.rewrite.edits}"
            )

    @property
    def rewrite_asks_encoder(self) -> bool:
        """Whether Rewrite needs the encoder: for senses by pictures, or to judge edits."""
        return self.senses == "picture" or self.rewrite.judge == BY_ENCODER

    @property
    def rewrite_asks_captioner(self) -> bool:
        """Whether Rewrite needs the captioner, to judge edits."""
        return self.rewrite.judge == BY_CAPTIONER


@dataclass(frozen=True, kw_only=True)
class BuildPlan:
    """A build: what it reads, how it chooses, and where it writes.

    `index_identity` tells the index from one that is made anew in its place
    (`PictureIndex.identity`). Where `service` is given it is asked instead, and `index_folder` is
    its address. `heads` are the adaptation heads in whose space Retrieve searches; None for the
    encoder's own.
    """

    source: Source
    pool: Source
    index_folder: str
    preset: Preset
    options: BuildOptions
    folder: str
    configuration: dict[str, Any]
    index_identity: str | None = None
    service: KnnService | None = None
    heads: ModelSpec | None = None

    def open_index(self) -> PictureIndex:
        """The index.

        Raises:
            IndexFolderError: it cannot be opened, or is not the one that the plan was made for.
        """
        return open_index(self.index_folder, identity=self.index_identity)

    @property
    def models(self) -> dict[str, str]:
        """One line for each model that tells it from any other: the preset's, and the heads.

        Raises:
            ModelError: local weights that would have to be hashed are not there.
        """
        heads = self.configuration["models"].get(HEADS)
        return self.preset.identities() | ({} if heads is None else {HEADS: heads})

    @property
    def configuration_hash(self) -> str:
        """What every shard's receipt is stamped with."""
        return hash_configuration(self.configuration)


def plan_build(
    *,
    source: Source,
    index_folder: str,
    open_pool: Callable[[dict[str, object]], Source],
    preset: Preset,
    options: BuildOptions,
    folder: str,
    heads: ModelSpec | None = None,
) -> BuildPlan:
    """A plan whose index fits the preset; `open_pool` opens the source the index was made from.

    Raises:
        IndexFolderError: the index is not finished or was made with another encoder.
        ModelError, SourceError: a model or the pool cannot be found, or `heads` were trained over
            another encoder.
    """
    if heads is not None:
        load_heads(heads).require_encoder(identity(preset.encoder))
    index = open_index(index_folder, encoder=identity(preset.encoder))
    pool = index.description.get("source")
    if not isinstance(pool, dict):
        raise IndexFolderError(f"{index_folder} must name its source to build from, got {pool!r}")
    about = {
        name: index.description.get(name)
        for name in ("encoder", "captioner", "source", "batch_size", "seed", "pictures")
    } | _sometimes_said(index)
    return BuildPlan(
        source=source,
        pool=open_pool(pool),
        index_folder=str(as_path(index_folder).resolve()),
        preset=preset,
        options=options,
        folder=folder,
        configuration=describe_build(source, about, preset, options, heads=heads),
        index_identity=index.identity,
        heads=heads,
    )


def _sometimes_said(index: PictureIndex) -> dict[str, Any]:
    """Where the index was computed, if not by the CPU in float32; how its source was filtered."""
    said = {name: index.description.get(name) for name in (PLACEMENTS, SOURCE_FILTERS)}
    return {name: value for name, value in said.items() if value is not None}


def describe_build(
    source: Source,
    index: Mapping[str, object],
    preset: Preset,
    options: BuildOptions,
    *,
    heads: ModelSpec | None = None,
) -> dict[str, Any]:
    """All that decides a build, as plain data; `index` is what is said of the index."""
    captioned_by = captioner_identity(preset.captioner, options.captions)
    placements = preset.placements(_parts(options))
    adapted = {} if heads is None else {HEADS: identity(heads)}
    return {
        "preset": preset.name,
        "source": source.describe(),
        "index": dict(index),
        "models": preset.identities(_parts(options)) | {"captions": captioned_by} | adapted,
        "options": _plain(_described(options)),
        "edits": options.edits,
        "thresholds": _plain(dataclasses.asdict(options.thresholds)),
        **({PLACEMENTS: placements} if placements else {}),
    }


def _parts(options: BuildOptions) -> tuple[str, ...]:
    """The parts of a preset that a build needs."""
    if options.regions == BY_SEGMENTER:
        return PIPELINE_PARTS
    others = tuple(part for part in PIPELINE_PARTS if part != "segmenter")
    return tuple(dict.fromkeys((*others, *region_parts(options.regions))))


def _described(options: BuildOptions) -> dict[str, Any]:
    """The options by name; filters, `regions` and its numbers only where they are not as always."""
    own = {name: getattr(options, name).describe() for name in ("rewrite", "retrieve")}
    described = dataclasses.asdict(options) | own
    if options.source_filters:
        described[SOURCE_FILTERS] = rule_texts(options.source_filters)
    else:
        del described[SOURCE_FILTERS]
    if options.regions == BY_SEGMENTER:
        del described["regions"]
        return described
    return {**described, "region_settings": describe_pair_settings(options.regions)}


def _plain(value: Any) -> Any:
    """Tuples as lists, as JSON has them, so that a configuration equals itself read again."""
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value
