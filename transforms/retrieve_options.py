"""The choices of Retrieve: which query, which candidates, and how many."""

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from transforms.query_arithmetic import DEFAULT_WEIGHTS, QUERY_KINDS, QueryKind

CandidateKind = Literal["search", "mine", "both"]

CANDIDATE_KINDS: tuple[CandidateKind, ...] = ("search", "mine", "both")


@dataclass(frozen=True, kw_only=True)
class RetrieveOptions:
    """How candidates are looked for.

    `query` is the query vector (see `query_vectors`), `weight` the w of `delta` (1 where None) and
    `blend` (0.3 where None). `candidates` is where they come from: `search` = the `k` nearest
    neighbours of the query vector, `mine` = pictures whose caption has the very words of the edit
    prompt, at most `cap` of them, `both` = both. A picture whose embedding has a cosine above
    `near_copy` with the source's is taken for a copy of it and passed over; None allows all.

    With a `structure_weight` w the `k` are those of the `structure_depth` nearest neighbours with
    the highest (cosine + w structure) / (1 + w), which is their `retrieval` score then: of what
    suits the words about as well, what lies where it lay.

    Raises:
        ValueError: a value is out of its range, or a weight is given to a query without one.

    >>> import pairloom
    >>> options = pairloom.RetrieveOptions(query="blend", weight=0.5)
    >>> options.query, options.weight, options.k, options.near_copy
    ('blend', 0.5, 16, 0.999)
    """

    query: QueryKind = "text"
    weight: float | None = None
    candidates: CandidateKind = "both"
    k: int = 16
    cap: int = 16
    near_copy: float | None = 0.999
    structure_weight: float | None = None
    structure_depth: int = 256

    def __post_init__(self) -> None:
        if self.query not in QUERY_KINDS:
            raise ValueError(f"query must be one of {QUERY_KINDS}, got {self.query!r}")
        if self.candidates not in CANDIDATE_KINDS:
            raise ValueError(
                f"candidates must be one of {CANDIDATE_KINDS}, got {self.candidates!r}"
            )
        if self.weight is not None and self.query not in DEFAULT_WEIGHTS:
            raise ValueError(f"weight belongs to delta and blend, got query {self.query!r}")
        if self.weight is not None and not 0 <= self.weight < np.inf:
            raise ValueError(f"weight must be at least 0 and finite, got {self.weight}")
        for name in ("k", "cap", "structure_depth"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.near_copy is not None and not 0 < self.near_copy <= 1:
            raise ValueError(f"near_copy must be in (0, 1], got {self.near_copy}")
        if self.structure_weight is not None and not 0 <= self.structure_weight < np.inf:
            raise ValueError(
                f"structure_weight must be at least 0 and finite, got {self.structure_weight}"
            )

    def describe(self) -> dict[str, Any]:
        """The choices by name, as plain data; what weighs structure only where it is weighed."""
        described = dataclasses.asdict(self)
        if self.structure_weight is None:
            del described["structure_weight"], described["structure_depth"]
        return described
