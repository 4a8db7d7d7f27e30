"""What a fetch may take: time, tries, connections, bytes."""

import math
from dataclasses import dataclass, field

from transforms.fetching.policy import AddressPolicy
from transforms.pictures.decoding import PictureLimits

_COUNTS = {
    "in_flight": (1, 1000),
    "per_host": (1, 1000),
    "max_bytes": (1, 1_000_000_000),
    "retries": (0, 100),
}
_MOST_SECONDS = 3600.0


@dataclass(frozen=True)
class FetchOptions:
    """How pictures are fetched.

    `deadline_s` is the time for one picture, in seconds, of (0, 3600]: all that is done for it on
    the network and the pauses between, but not its waiting for a host that has no room; a body of
    a known length that goes on coming may take `bodies.PATIENCE` times as long.
    `silence_s`, of the same range, is how long of it a server may send nothing: while a name is
    looked up, while a connection is made, before the answer and within it. `retries`
    in [0, 100] is how often a busy server or a lost connection is tried again, waiting `backoff_s`,
    in [0, 3600], then twice that, and so on, or as long as the server asks; `in_flight` in
    [1, 1000] how many pictures are fetched at once (not counted are some of those that wait for an
    answer: `asking.count_silent_places`), `per_host` in [1, 1000] how many of them from
    one host, which may be the one that a link was redirected to. `max_bytes`, in [1, 10^9], caps
    one body. `allow_addresses` lets networks (CIDR) through that are not public: for servers of
    one's own.

    Raises:
        ValueError: an option is of another type or out of its range.
    """

    deadline_s: float = 30.0
    silence_s: float = 10.0
    max_redirects: int = 10
    retries: int = 2
    backoff_s: float = 0.5
    in_flight: int = 64
    per_host: int = 8
    max_bytes: int = 20_000_000
    allow_addresses: tuple[str, ...] = ()
    limits: PictureLimits = field(default_factory=PictureLimits)

    def __post_init__(self) -> None:
        for name in (*_COUNTS, "max_redirects"):
            if type(getattr(self, name)) is not int:
                raise ValueError(f"{name} must be a whole number, got {getattr(self, name)!r}")
        for name, (least, most) in _COUNTS.items():
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be >= {least}, got {getattr(self, name)}")
            if getattr(self, name) > most:
                raise ValueError(f"{name} must be <= {most}, got {getattr(self, name)}")
        if self.max_redirects < 0:
            raise ValueError(f"max_redirects must be >= 0, got {self.max_redirects}")
        for name in ("deadline_s", "silence_s", "backoff_s"):
            value = getattr(self, name)
            if type(value) not in (int, float) or not math.isfinite(value):
                raise ValueError(f"{name} must be a finite number of seconds, got {value!r}")
        for name in ("deadline_s", "silence_s"):
            value = getattr(self, name)
            if not 0 < value <= _MOST_SECONDS:
                raise ValueError(f"{name} must be in (0, {_MOST_SECONDS:g}], got {value}")
        if not 0 <= self.backoff_s <= _MOST_SECONDS:
            raise ValueError(f"backoff_s must be in [0, {_MOST_SECONDS:g}], got {self.backoff_s}")
        AddressPolicy(self.allow_addresses)
