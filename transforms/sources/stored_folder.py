"""A folder of picture files on a store as a source: the rows are those of `FolderSource`.

One listing tells names, sizes and what each file is known by; nothing is read for that. Pictures
are fetched several at once while rows are made of those before. What cannot be had because the
store fails is an error and no reject: run again, the job goes on.
"""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from urllib.parse import quote_from_bytes, unquote_to_bytes

from indexes.storage.errors import StorageMissingError
from indexes.storage.mirrors import is_plain
from indexes.storage.paths import as_path
from indexes.storage.statuses import Info, content_tag
from indexes.storage.store_path import StorePath
from transforms.pictures.decoding import PictureError, normalise
from transforms.protocols import SourceError, SourceShard
from transforms.record import Reject, SourceImage
from transforms.sources.folder_rows import caption_places, is_sidecar, picture_row, reject_row
from transforms.sources.listing import Listing
from transforms.sources.picture_folder import PictureFolder
from transforms.sources.stored_content import find_stored_duplicates
from transforms.sources.stored_plan import KeptPlan, StoredPlan, keep_plan
from transforms.sources.texts import MAX_TEXT_BYTES, clean_text, decode_text

FETCHED_AT_ONCE = 16
BYTES_AT_ONCE = 64 << 20
"""So much of the pictures that are fetched together, unless one alone is larger."""


_Fetched = tuple[bytes | PictureError, bytes | None]
"""The file of a row, or why it cannot be had, and the text beside it."""


@dataclass(frozen=True)
class StoredFolderSource(PictureFolder):
    """The pictures below the folder at the address `path`, `shard_size` rows to a shard.

    Keys, order, captions and rejects are those of a `FolderSource` of the same files. The folder
    is listed once, by the first call of `shards` or `read`; a copy pickled after that holds the
    plan, so that all workers agree on it.

    Raises:
        SourceError: `path` is no address, or `shard_size` no whole number >= 1; by `shards`, the
            folder holds no files.
        StorageError: by its methods, the store cannot be used.

    >>> from indexes.storage.paths import as_path
    >>> from pairloom import StillLifeSource
    >>> from transforms.sources.stored_folder import StoredFolderSource
    >>> rendered = StillLifeSource(count=1)
    >>> picture = next(rendered.read(rendered.shards()[0]))
    >>> folder = as_path("memory://bucket/chairs")
    >>> _ = (folder / "chair.png").write_bytes(picture.image)
    >>> _ = (folder / "chair.txt").write_bytes(b"a small yellow chair")
    >>> source = StoredFolderSource(str(folder))
    >>> [shard] = source.shards()
    >>> [found] = source.read(shard)
    >>> found.reference, found.alt_text, found.content_sha256 == picture.content_sha256
    ('chair.png', 'a small yellow chair', True)
    """

    _plans: list[StoredPlan | KeptPlan] = field(
        default_factory=list, init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(as_path(self.path), StorePath):
            raise SourceError(f"{self.path}: a StoredFolderSource is on a store")

    @property
    def root(self) -> StorePath:
        """The folder."""
        root = as_path(self.path)
        assert isinstance(root, StorePath)
        return root

    def plan(self) -> StoredPlan:
        """The rows of the folder, found once.

        Raises:
            SourceError: it has no pictures.
            StorageError: it cannot be listed.
        """
        if not self._plans:
            files = self.root.files()
            names = _row_names(files)
            if not names:
                raise SourceError(f"{self.path}: the folder holds no picture files")
            infos = [files[name] for name in names]
            self._plans.append(
                StoredPlan(
                    names=tuple(names),
                    sizes=tuple(int(info["size"]) for info in infos),
                    captions=_find_captions(names, files),
                    duplicates=find_stored_duplicates(self.root, names, infos, self.limits),
                )
            )
        [plan] = self._plans
        return plan.open() if isinstance(plan, KeptPlan) else plan

    def store_plan(self, folder: Path) -> None:
        """Keeps the plan as a file in `folder`, which workers see: copies then hold its path alone.

        Raises:
            SourceError, StorageError: as `plan`.
            IndexFolderError: it cannot be written.
        """
        plan = self.plan()
        if self._plans == [plan]:
            self._plans[:] = [keep_plan(plan, folder)]

    def shards(self) -> list[SourceShard]:
        """Runs of `shard_size` rows, named by their number.

        Raises:
            SourceError, StorageError: as `plan`.
        """
        return self.cut_rows(len(self.plan().names))

    def read(self, shard: SourceShard) -> Iterator[SourceImage | Reject]:
        """The rows of `shard`; `position` counts from the folder's first row.

        Raises:
            StorageError: the store does not give one of them.
        """
        with ThreadPoolExecutor(FETCHED_AT_ONCE) as pool:
            before: Iterator[tuple[int, _Fetched]] = iter(())
            for rows in self._runs(shard.start, shard.stop):
                # The next are on their way while those before are decoded.
                coming = zip(rows, pool.map(self._fetch, rows), strict=True)
                yield from (self._make_row(row, shard.name, what) for row, what in before)
                before = coming
            yield from (self._make_row(row, shard.name, what) for row, what in before)

    def _runs(self, start: int, stop: int) -> Iterator[list[int]]:
        """The rows in runs of so many and so many bytes as are fetched together."""
        run: list[int] = []
        size = 0
        for row in range(start, stop):
            bytes_ = min(self.plan().sizes[row], self.limits.max_bytes)
            if run and (len(run) == 2 * FETCHED_AT_ONCE or size + bytes_ > BYTES_AT_ONCE):
                yield run
                run, size = [], 0
            run.append(row)
            size += bytes_
        if run:
            yield run

    def open(self, reference: str) -> bytes:
        """The picture that `read` gave `reference` to, as it gave it.

        Raises:
            SourceError: the reference leads out of the folder, or the picture is gone.
            StorageError: the store does not give it.
        """
        name = os.fsdecode(unquote_to_bytes(reference))
        if not is_plain(name):
            raise SourceError(f"{reference}: a reference must stay inside {self.path}")
        most = self.limits.max_bytes + 1
        return self.read_again(reference, lambda: (self.root / name).read_bytes(most))

    def listing(self) -> Listing:
        """The files of all rows and their captions, as the store lists them now.

        Raises:
            StorageError: it cannot be listed.
        """
        files = self.root.files()
        names = _row_names(files)
        beside = (caption for caption, _ in _find_captions(names, files).values())
        return Listing(
            {
                quote_from_bytes(os.fsencode(name)): content_tag(files[name])
                for name in (*names, *beside)
            }
        )

    def _fetch(self, row: int) -> _Fetched:
        """The file of a row and the text beside it, or why it cannot be a picture."""
        plan = self.plan()
        name, size, most = plan.names[row], plan.sizes[row], self.limits.max_bytes
        first = plan.duplicates.get(row)
        if first is not None:
            this, other = (quote_from_bytes(os.fsencode(plan.names[each])) for each in (row, first))
            return PictureError("duplicate", f"{this} has the same content as {other}"), None
        if not is_plain(name):
            return PictureError("unreadable", "its name is none that a file in a folder has"), None
        try:
            if size <= most:
                data = (self.root / name).read_bytes(most + 1)  # it may have grown
                size = len(data)
            if size > most:
                what = f"the file has {size} bytes, at most {most} are read"
                return PictureError("too_large_file", what), None
            return data, self._fetch_caption(row)
        except StorageMissingError as error:
            return PictureError("unreadable", str(error.strerror)), None

    def _fetch_caption(self, row: int) -> bytes | None:
        found = self.plan().captions.get(row)
        if found is None:
            return None
        name, size = found
        return (self.root / name).read_range(0, min(size, MAX_TEXT_BYTES))

    def _make_row(self, row: int, shard: str, fetched: _Fetched) -> SourceImage | Reject:
        plan = self.plan()
        name = os.fsencode(plan.names[row])
        reference = quote_from_bytes(name)
        data, text = fetched
        try:
            if isinstance(data, PictureError):
                raise data
            picture = normalise(data, self.limits)
            beside = PurePosixPath(plan.captions[row][0]).name if text is not None else ""
            caption = clean_text(decode_text(text, beside)) if text is not None else None
        except PictureError as error:
            return reject_row(name, shard, row, error.reason, f"{reference}: {error.detail}")
        return picture_row(shard, row, reference, data=data, picture=picture, caption=caption)


def _row_names(files: dict[str, Info]) -> list[str]:
    """The names of all rows, sorted by their bytes."""
    rows = {
        os.fsencode(name): name
        for name in files
        if not any(part.startswith(".") and part not in (".", "..") for part in name.split("/"))
    }
    return [rows[name] for name in sorted(rows) if not is_sidecar(name)]


def _find_captions(names: list[str], files: dict[str, Info]) -> dict[int, tuple[str, int]]:
    """Of each row that has one the text beside it: name and size."""
    found: dict[int, tuple[str, int]] = {}
    for row, name in enumerate(names):
        if is_plain(name):
            places = map(str, caption_places(PurePosixPath(name)))
            beside = next((place for place in places if place in files), None)
            if beside is not None:
                found[row] = (beside, int(files[beside]["size"]))
    return found
