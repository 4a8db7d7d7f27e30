"""What a region finder is: a protocol, and a spec that says all of it without loading anything."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar, runtime_checkable

from PIL import Image

from editing.parts import Parts
from editing.requests import Request

if TYPE_CHECKING:
    import torch

SettingsT = TypeVar("SettingsT")


@runtime_checkable
class RegionFinder(Protocol):
    """Says where pictures may change."""

    def find(
        self, requests: Sequence[Request], generators: "Sequence[torch.Generator]"
    ) -> list[Image.Image]:
        """A mask for each request: L, 0 or 255 (may change), of the picture's size.

        Raises:
            EditingError: a request does not say what may change.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class RegionSpec(Generic[SettingsT]):
    """A region finder by its name: its settings, the parts it needs, and how it is loaded.

    `needs_words` says that a request must tell in words what may change (`Request.phrase`).
    """

    name: str
    summary: str
    settings: type[SettingsT]
    parts: tuple[str, ...]
    load: Callable[[Parts, SettingsT], RegionFinder]
    needs_words: bool = True
