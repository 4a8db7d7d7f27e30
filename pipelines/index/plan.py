"""What an index is made of and how: the plan."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from indexes.index_choice import DEFAULT_MEMORY_GIB
from pipelines.index.stored import describe_embeddings
from transforms.caption import CAPTIONS, captioner_identity
from transforms.filter_rules import SOURCE_FILTERS, FilterRule, rule_texts
from transforms.models.devices import PLACEMENTS
from transforms.models.files import identity
from transforms.presets import Preset
from transforms.protocols import Source, SourceShard
from transforms.write_index import (
    IndexShard,
)

PlannedPart = tuple[IndexShard, SourceShard]
"""A part of the index, and the source shard it is made of."""


def index_parts(captions: str) -> tuple[str, ...]:
    """The parts of a preset that an index is made with; `captions` is one of `CAPTIONS`."""
    return ("captioner", "encoder") if captions == "model" else ("encoder",)


@dataclass(frozen=True, kw_only=True)
class IndexPlan:
    """All that decides an index: `captions` is `model`, or `source` to keep the source's own.

    `embeddings` is a folder of clip-retrieval's, whose embeddings are taken; None to make them.
    `index_memory_gib` is how much memory the search index is to fit in. It decides nothing else, so
    that an index that is made again with another has only its search index made anew.
    Pictures that break one of `source_filters` are rejects as soon as they are read.
    """

    source: Source
    preset: Preset
    folder: str
    captions: str = "model"
    batch_size: int = 32
    seed: int = 0
    embeddings: str | None = None
    index_memory_gib: float = DEFAULT_MEMORY_GIB
    source_filters: Mapping[str, FilterRule] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.captions not in CAPTIONS:
            raise ValueError(f"captions must be {' or '.join(CAPTIONS)}, got {self.captions!r}")
        if not 0 < self.index_memory_gib < float("inf"):
            raise ValueError(f"index_memory_gib must be above 0, got {self.index_memory_gib}")

    def description(self) -> dict[str, object]:
        """What the index folder says of itself, and must go on saying to be resumed."""
        placements = self.preset.placements(index_parts(self.captions))
        described: dict[str, object] = {
            "encoder": identity(self.preset.encoder),
            "captioner": captioner_identity(self.preset.captioner, self.captions),
            "preset": self.preset.name,
            "source": self.source.describe(),
            "batch_size": self.batch_size,
            "seed": self.seed,
            **({PLACEMENTS: placements} if placements else {}),
        }
        if self.source_filters:
            described[SOURCE_FILTERS] = rule_texts(self.source_filters)
        if self.embeddings is not None:
            described["embeddings"] = describe_embeddings(self.embeddings)
        return described
