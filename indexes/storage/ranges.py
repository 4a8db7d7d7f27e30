"""Files of a store read by ranges: blocks are kept, and fetched several at once when in order."""

import io
import threading
from collections import OrderedDict
from typing import Any

from indexes.storage.errors import telling

BLOCK_BYTES = 1 << 20
BLOCKS_AHEAD = 8
"""So many blocks are asked for at once of a file that is read from front to back."""
MOST_KEPT_BYTES = 64 << 20
"""What a process keeps of all files together."""

_Key = tuple[str, str, int]


class _Blocks:
    """The blocks that were read last, of all files; `tag` tells a file from what it was before."""

    def __init__(self) -> None:
        self._found: OrderedDict[_Key, bytes] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def get(self, key: _Key) -> bytes | None:
        with self._lock:
            if key in self._found:
                self._found.move_to_end(key)
            return self._found.get(key)

    def put(self, key: _Key, data: bytes) -> None:
        with self._lock:
            self._bytes += len(data) - len(self._found.pop(key, b""))
            self._found[key] = data
            while self._bytes > MOST_KEPT_BYTES and len(self._found) > 1:
                self._bytes -= len(self._found.popitem(last=False)[1])


_BLOCKS = _Blocks()


class RangeFile(io.RawIOBase):
    """A file of `size` bytes on `system`, read by ranges; wrapped in a buffer it is a binary file.

    `key` is its name there, `address` what errors call it, `tag` what tells its content from
    another under the same name.
    """

    def __init__(self, system: Any, key: str, *, address: str, size: int, tag: str) -> None:
        super().__init__()
        self._system, self._key = system, key
        self._address, self._size, self._tag = address, size, tag
        self._place = 0
        self._next = 0

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def tell(self) -> int:
        """Where reading goes on, in bytes from the beginning."""
        return self._place

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place, counted from the beginning, from here or from the end."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._size}[whence]
        if start + offset < 0:
            raise OSError(22, "Invalid argument", self._address)
        self._place = start + offset
        return self._place

    def readinto(self, buffer: Any) -> int:
        """Fill as much of `buffer` as one block gives.

        Raises:
            StorageError: the store does not give it.
        """
        view = memoryview(buffer).cast("B")
        number, skipped = divmod(self._place, BLOCK_BYTES)
        if self._place >= self._size or not len(view):
            return 0
        data = self._block(number)[skipped : skipped + len(view)]
        view[: len(data)] = data
        self._place += len(data)
        return len(data)

    def _block(self, number: int) -> bytes:
        found = _BLOCKS.get((self._address, self._tag, number))
        if found is not None:
            return found
        count = BLOCKS_AHEAD if number == self._next else 1
        start = number * BLOCK_BYTES
        stop = min(start + count * BLOCK_BYTES, self._size)
        data = read_range(self._system, self._key, start, stop, address=self._address)
        for place in range(0, len(data), BLOCK_BYTES):
            block = data[place : place + BLOCK_BYTES]
            _BLOCKS.put((self._address, self._tag, number + place // BLOCK_BYTES), block)
        self._next = number + count
        return data[:BLOCK_BYTES]


def read_range(system: Any, key: str, start: int, stop: int, *, address: str) -> bytes:
    """The bytes of a file from `start` to `stop`, all of which must be there.

    Raises:
        StorageError: they are not, or the store does not give them.
    """
    if start >= stop:
        return b""
    with telling(address):
        data: bytes = system.cat_file(key, start=start, end=stop)
        if len(data) != stop - start:
            raise OSError(5, f"it gave {len(data)} of {stop - start} bytes")
    return data
