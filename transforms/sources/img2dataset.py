"""Pictures that img2dataset, or `pairloom fetch`, has downloaded: tar or Parquet files.

One file is one shard, named like the file. A file that cannot be read as a whole becomes ONE
reject, `broken_shard`, keyed by the shard's name, and the other files go on; when every file is
broken the source is refused. Keys are img2dataset's own; they are unique within one download,
so that a folder in which files of two downloads are mixed is refused as well.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from indexes.duplicate_keys import find_duplicate_key
from indexes.lookup import Hashes, hash_texts
from indexes.storage.errors import refuse_outage
from indexes.storage.paths import as_path, is_stored
from transforms.pictures.decoding import DEFAULT_LIMITS, PictureError, PictureLimits, normalise
from transforms.protocols import SourceError, SourceShard
from transforms.record import Reject, SourceImage
from transforms.sources.columns import Place, reject
from transforms.sources.listing import Listing, list_archives
from transforms.sources.parquet_shard import ParquetShard, load_parquet, open_parquet_row
from transforms.sources.tar_shard import TarShard, load_tar, open_tar_member


@dataclass(frozen=True)
class Img2DatasetSource:
    """The `.tar` and `.parquet` files of the folder `path`, or the one file `path`.

    In a tar a picture, its words (`.txt`) and its metadata (`.json`) have the picture's key as
    their name; a Parquet file has them in columns. `limits` says which pictures are too large or
    too small; those become rejects.

    Raises:
        SourceError: by `shards`, where nothing can be read or a key is in two files.

    >>> import io, tarfile, tempfile
    >>> from pathlib import Path
    >>> from pairloom import Img2DatasetSource, StillLifeSource
    >>> rendered = StillLifeSource(count=1)
    >>> picture = next(rendered.read(rendered.shards()[0]))
    >>> folder = Path(tempfile.mkdtemp())
    >>> with tarfile.open(folder / "00000.tar", "w") as tar:
    ...     for name, data in (("000000000.png", picture.image), ("000000000.txt", b"a chair")):
    ...         member = tarfile.TarInfo(name)
    ...         member.size = len(data)
    ...         tar.addfile(member, io.BytesIO(data))
    >>> source = Img2DatasetSource(str(folder))
    >>> [shard] = source.shards()
    >>> [found] = source.read(shard)
    >>> found.key, found.alt_text
    ('000000000', 'a chair')
    >>> source.open(found.reference) == picture.image
    True
    """

    path: str
    limits: PictureLimits = DEFAULT_LIMITS

    def shards(self) -> list[SourceShard]:
        """One shard a file; a broken file counts as one row.

        Raises:
            SourceError: nothing can be read, or a key is in two files.
        """
        found, faults = [], []
        hashes: dict[Path, Hashes] = {}
        for file in self._files():
            try:
                loaded = _load(file)
                rows, hashes[file] = loaded.rows, hash_texts(loaded.keys())
            except SourceError as error:
                faults.append(str(error))
                rows = 1
            found.append(SourceShard(file.stem, str(file), 0, rows))
        if len(faults) == len(found):
            raise SourceError(faults[0])
        if not any(shard.stop for shard in found):
            raise SourceError(f"{self.path}: none of the {len(found)} files holds a row")
        self._refuse_duplicate_keys(hashes)
        return found

    def read(self, shard: SourceShard) -> Iterator[SourceImage | Reject]:
        """The rows of `shard`; `position` counts from the file's first row."""
        try:
            file = _load(as_path(shard.origin))
        except SourceError as error:
            for row in range(shard.start, shard.stop):
                key = f"{shard.name}@{row}" if row else shard.name
                yield reject(key, Place(shard.name, row, ""), "broken_shard", str(error))
        else:
            yield from file.read(shard.start, shard.stop, shard=shard.name, limits=self.limits)

    def open(self, reference: str) -> bytes:
        """The picture that `read` gave `reference` to, as it gave it.

        One seek in a tar; in Parquet, the row group up to the row.

        Raises:
            SourceError: the reference names no file of the source, or the picture is gone.
        """
        name, _, locator = reference.partition("#")
        name = unquote(name)
        if "/" in name or "\0" in name or not name.endswith((".tar", ".parquet")):
            raise SourceError(f"{reference}: a reference must name a .tar or .parquet file")
        root = as_path(self.path)
        path = root / name if root.is_dir() else root.with_name(name)
        if name.endswith(".tar"):
            data = open_tar_member(path, locator, self.limits)
        else:
            data = open_parquet_row(path, locator, self.limits)
        try:
            return normalise(data, self.limits).bytes
        except PictureError as error:
            raise SourceError(f"{reference}: the picture has changed: {error}") from error

    def describe(self) -> dict[str, object]:
        """The source as plain data."""
        return {"kind": "img2dataset", "path": self.path, "limits": self.limits.describe()}

    def listing(self) -> Listing:
        """The files and the tables beside them, as they are now.

        Raises:
            SourceError: the folder cannot be listed, or holds no such file.
        """
        files = self._files()
        beside = [file.with_suffix(".parquet") for file in files if file.suffix == ".tar"]
        # On a store the listing itself tells which of them are there.
        there = (file for file in beside if is_stored(file) or file.exists())
        return list_archives([*files, *there])

    def _refuse_duplicate_keys(self, hashes: dict[Path, Hashes]) -> None:
        files = list(hashes)
        duplicate = find_duplicate_key(
            list(hashes.values()), lambda number: _load(files[number]).keys()
        )
        if duplicate is not None:
            first, second = files[duplicate.first].name, files[duplicate.second].name
            raise SourceError(
                f"{self.path}: keys must be unique, {duplicate.key} is in {first} and in {second}: "
                "files of two downloads must not be mixed in a folder"
            )

    def _files(self) -> list[Path]:
        """The shard files, sorted by name; a table beside a tar is no shard of its own."""
        path = as_path(self.path)
        try:
            names = list(path.iterdir()) if path.is_dir() else [path]
        except OSError as error:
            refuse_outage(error)
            raise SourceError(f"{path}: cannot list it: {error.strerror}") from error
        if not path.exists():
            raise SourceError(f"{path}: there is no such file or folder")
        tars = {name.stem for name in names if name.suffix == ".tar"}
        files = [
            name
            for name in names
            if not name.name.startswith((".", "_"))
            and (name.suffix == ".tar" or (name.suffix == ".parquet" and name.stem not in tars))
        ]
        if not files:
            raise SourceError(f"{path}: no .tar or .parquet file here")
        return sorted(files, key=lambda name: name.stem)


def _load(file: Path) -> TarShard | ParquetShard:
    return load_tar(file) if file.suffix == ".tar" else load_parquet(file)
