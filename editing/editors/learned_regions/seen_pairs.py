"""What the frozen networks see of pairs, kept in memory: they need not look again every epoch."""

from dataclasses import dataclass

from editing.boxes.proposals import Proposals
from editing.boxes.text_region_net import Asked

MOST_BYTES = 2**30


@dataclass(frozen=True, eq=False)
class SeenPair:
    """A pair's boxes, with what the backbone sees, and what its edit asks for."""

    proposals: Proposals
    asked: Asked

    @property
    def size(self) -> int:
        """Bytes of all tensors."""
        tensors = (
            self.proposals.features,
            self.proposals.attention,
            self.asked.target,
            self.asked.phrase,
            self.asked.likeness,
        )
        return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


class SeenPairs:
    """Pairs by their key, the first that come to no more than `most_bytes` together."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._left = most_bytes
        self._known: dict[str, SeenPair] = {}

    def get(self, key: str) -> SeenPair | None:
        """What is seen of a pair, None where that is not kept."""
        return self._known.get(key)

    def put(self, key: str, seen: SeenPair) -> None:
        """Keeps what is seen of a pair, where there is room."""
        if seen.size <= self._left and key not in self._known:
            self._left -= seen.size
            self._known[key] = seen
