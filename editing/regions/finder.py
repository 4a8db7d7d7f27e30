"""What a region finder is: a protocol, and a spec that says all of it without loading anything."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar, runtime_checkable

from PIL import Image

from editing.errors import NotFiniteError
from editing.parts import Parts
from editing.requests import OnStep, Request
from transforms.protocols import Vectors

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


@dataclass(frozen=True, eq=False)
class FoundRegion:
    """Where a picture may change, and what that was cut from.

    `mask` is as `RegionFinder.find` gives it. `relevance` [h, w] in [0, 1] is the map before it was
    cut, at whatever size the finder sees the picture; None where there is none.
    """

    mask: Image.Image
    relevance: Vectors | None = None


@runtime_checkable
class TellingFinder(RegionFinder, Protocol):
    """A region finder that tells what it cuts its masks from, and how far it is."""

    def find_regions(
        self,
        requests: Sequence[Request],
        generators: "Sequence[torch.Generator]",
        on_step: OnStep = lambda: None,
    ) -> list[FoundRegion]:
        """As `find`, with the maps; `on_step` is called after every step of a long search.

        Raises:
            EditingError: a request does not say what may change.
        """
        ...


def find_regions(
    finder: RegionFinder,
    requests: Sequence[Request],
    generators: "Sequence[torch.Generator]",
    on_step: OnStep = lambda: None,
) -> list[FoundRegion]:
    """What any finder finds, with all that it tells.

    Raises:
        EditingError: a request does not say what may change.
    """
    if isinstance(finder, TellingFinder):
        return finder.find_regions(requests, generators, on_step)
    return [FoundRegion(mask) for mask in finder.find(requests, generators)]


def find_missing(
    finder: RegionFinder,
    requests: Sequence[Request],
    generators: "Sequence[torch.Generator]",
    on_step: OnStep = lambda: None,
) -> dict[int, FoundRegion]:
    """What is found for the requests that have no mask, by their places.

    Raises:
        EditingError: see `find_regions`.
        NotFiniteError: a model gave no numbers for those at its `places` among all the requests.
    """
    places = [place for place, each in enumerate(requests) if each.edit_mask is None]
    if not places:
        return {}
    asked = [requests[place] for place in places]
    try:
        found = find_regions(finder, asked, [generators[place] for place in places], on_step)
    except NotFiniteError as error:
        raise NotFiniteError(str(error), [places[row] for row in error.places]) from error
    return dict(zip(places, found, strict=True))


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
