"""Files of one content in a folder on a store: found by what its listing says, where it can be."""

import base64
import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

from indexes.storage.errors import StorageMissingError
from indexes.storage.mirrors import is_plain
from indexes.storage.statuses import Info
from indexes.storage.store_path import StorePath
from transforms.pictures.limits import PictureLimits

READ_AT_ONCE = 16
TRIED = 3
"""So many files are read to see whether the store's tags are hashes of the content."""

_MD5 = re.compile(r"[0-9a-f]{32}")


def find_stored_duplicates(
    root: StorePath, names: Sequence[str], infos: Sequence[Info], limits: PictureLimits
) -> dict[int, int]:
    """Which rows repeat an earlier one, of those that are not too large to be read at all.

    Files of one size are told apart by the MD5 that a listing gives of most files. Tags that look
    like one are hashes of something else where files are encrypted: a few are read to see that.
    Those of one size that have none are read.

    Raises:
        StorageError: one of them cannot be read.
    """
    by_size: dict[int, list[int]] = defaultdict(list)
    for row, info in enumerate(infos):
        if 0 < int(info["size"]) <= limits.max_bytes and is_plain(names[row]):
            by_size[int(info["size"])].append(row)
    alike = [row for rows in by_size.values() if len(rows) > 1 for row in rows]
    hashes = {row: _listed_md5(infos[row]) for row in alike}
    tagged = [row for row in sorted(alike) if hashes[row] and "md5Hash" not in infos[row]]
    tried = _read_md5s(root, names, tagged[:TRIED])
    if any(tried[row] != hashes[row] for row in tried):
        hashes |= dict.fromkeys(tagged)
    hashes |= _read_md5s(root, names, [row for row in alike if hashes[row] is None])
    return _repeats((row, (infos[row]["size"], hashes[row])) for row in sorted(alike))


def _repeats(measured: Iterable[tuple[int, tuple[int, str | None]]]) -> dict[int, int]:
    first: dict[tuple[int, str], int] = {}
    duplicates: dict[int, int] = {}
    for row, (size, digest) in measured:
        if digest is not None and first.setdefault((size, digest), row) != row:
            duplicates[row] = first[size, digest]
    return duplicates


def _listed_md5(info: Info) -> str | None:
    """The MD5 of a file in hexadecimal as the listing gives it; files sent in parts have none."""
    if info.get("md5Hash"):
        return base64.b64decode(info["md5Hash"]).hex()
    tag = str(info.get("ETag") or "").strip('"').lower()
    return tag if _MD5.fullmatch(tag) else None


def _read_md5s(root: StorePath, names: Sequence[str], rows: Sequence[int]) -> dict[int, str | None]:
    """The MD5 of the files of `rows`; None of one that is gone, which reading it will say."""

    def read(row: int) -> str | None:
        try:
            data = (root / names[row]).read_bytes()
        except StorageMissingError:
            return None
        return hashlib.md5(data, usedforsecurity=False).hexdigest()

    with ThreadPoolExecutor(READ_AT_ONCE) as pool:
        return dict(zip(rows, pool.map(read, rows), strict=True))
