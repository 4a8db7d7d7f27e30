"""Pictures that are known by their links alone, fetched when they are asked for, and kept.

They are fetched under the rules of `pairloom fetch`. What has come is kept in a folder by a hash of
its link, so that a picture is fetched once, whoever asks for it, and in a later run too.
"""

import asyncio
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from indexes.storage.paths import as_path, is_stored
from transforms.dataset.files import OutputError, make_folder, write_bytes
from transforms.fetching.fetcher import fetch_links
from transforms.fetching.options import FetchOptions
from transforms.fetching.policy import FetchError
from transforms.pictures.decoding import NormalisedPicture
from transforms.protocols import SourceError, SourceShard
from transforms.record import Reject, SourceImage


@dataclass(frozen=True)
class LinkedPictures:
    """The pictures behind links, kept in the folder `store`; a link is a picture's reference.

    A source to open pictures from, and not to go through: it knows no list of them.

    Raises:
        SourceError: `store` is not on this machine.

    >>> import tempfile
    >>> from transforms.fetching.linked_pictures import LinkedPictures
    >>> pictures = LinkedPictures(tempfile.mkdtemp())
    >>> pictures.fetch(["http://10.0.0.1/a.jpg"])["http://10.0.0.1/a.jpg"].reason
    'forbidden_address'
    """

    store: str
    options: FetchOptions = field(default_factory=FetchOptions)

    def __post_init__(self) -> None:
        if is_stored(as_path(self.store)):
            raise SourceError(f"{self.store}: fetched pictures must be on this machine")

    def shards(self) -> list[SourceShard]:
        """Nothing can be listed.

        Raises:
            SourceError: always.
        """
        raise SourceError("pictures known by links alone cannot be listed")

    def read(self, shard: SourceShard) -> Iterator[SourceImage | Reject]:
        """As `shards`."""
        raise SourceError(f"{shard.name}: pictures known by links alone cannot be listed")

    def open(self, reference: str) -> bytes:
        """The picture behind the link `reference`.

        Raises:
            SourceError: it could not be had, with the reason of `pairloom fetch`.
        """
        outcome = self.fetch([reference])[reference]
        if isinstance(outcome, FetchError):
            raise SourceError(f"{reference}: {outcome}")
        return outcome

    def fetch(self, links: Sequence[str]) -> dict[str, bytes | FetchError]:
        """Each link's picture, or why it could not be had; many at a time.

        Raises:
            SourceError: the folder cannot be written.
            ResourceError: this process may have too few open files.
        """
        found: dict[str, bytes | FetchError] = {}
        missing = []
        for link in dict.fromkeys(links):
            kept = self._load(link)
            if kept is None:
                missing.append(link)
            else:
                found[link] = kept

        def done(link: str, outcome: NormalisedPicture | FetchError) -> None:
            if isinstance(outcome, FetchError):
                found[link] = outcome
            else:
                found[link] = outcome.bytes
                write_bytes(self._path(link), outcome.bytes)

        if missing:
            try:
                make_folder(Path(self.store))
                asks = ((link, link) for link in missing)
                asyncio.run(fetch_links(asks, done, options=self.options, folder=Path(self.store)))
            except OutputError as error:
                raise SourceError(str(error)) from error
        return found

    def describe(self) -> dict[str, object]:
        """The source as plain data."""
        return {"kind": "links", "store": self.store, "limits": self.options.limits.describe()}

    def _path(self, link: str) -> Path:
        digest = hashlib.sha256(link.encode("utf-8", "surrogatepass")).hexdigest()
        return Path(self.store) / f"{digest[:32]}.picture"

    def _load(self, link: str) -> bytes | None:
        try:
            return self._path(link).read_bytes()
        except OSError:
            return None
