"""Bodies of answers on their way to the decoder, in bounded memory.

What has come of a body waits in memory up to `IN_MEMORY_BYTES`, and what is longer on disk: so many
large bodies at once need no more memory than small ones, and none has to wait for another to end,
which a server could put off. They are read back one by one, when the decoder has room.
"""

import asyncio
import tempfile
import time
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import aiohttp

from transforms.dataset.files import output_error
from transforms.fetching.policy import FetchError

IN_MEMORY_BYTES = 500_000
"""How much of one body is held in memory while it comes."""

PATIENCE = 4
"""How many deadlines a body may take whose length is known, as long as it comes.

A client without a deadline gets it. Of a body whose length is not known nobody can say whether it
will ever end.
"""

HEAD_BYTES = 100_000
_CHUNK_BYTES = 65_536
_CODINGS = ("", "identity", "gzip", "x-gzip", "deflate")
_HOPELESS = 2.0


@dataclass(frozen=True)
class Pace:
    """How long a body may take: until `end_s` of the monotonic clock.

    One of a known length is given up before, once it has come for `patience_s` seconds and would
    at that rate take twice what there is.
    """

    end_s: float
    patience_s: float

    def check(self, began_s: float, size: int, length: int | None) -> None:
        """Whether a body of `length` bytes, of which `size` have come since `began_s`, may go on.

        Raises:
            FetchError: it would not be there in time.
        """
        now_s = time.monotonic()
        spent_s = now_s - began_s
        if not length or spent_s < self.patience_s or size >= length:
            return
        needed_s = spent_s * length / size
        if needed_s > _HOPELESS * (self.end_s - began_s):
            raise FetchError(
                "deadline", f"{size} of {length} bytes came in {spent_s:.0f} s, which is too slow"
            )


@dataclass(frozen=True)
class Body:
    """What a server sent: `file` holds its `size` bytes, which are still in `coding`."""

    file: IO[bytes]
    size: int
    coding: str

    def read_head(self) -> bytes:
        """The first bytes of the picture; none where they are compressed."""
        self.file.seek(0)
        return self.file.read(HEAD_BYTES) if self.coding in ("", "identity") else b""

    def load(self, max_bytes: int) -> bytes:
        """All of it, decompressed.

        Raises:
            FetchError: it is damaged, or more than `max_bytes`.
        """
        self.file.seek(0)
        if self.coding in ("", "identity"):
            return self.file.read()
        return _inflate(self.file, max_bytes)


async def read_body(
    response: aiohttp.ClientResponse, max_bytes: int, folder: Path, pace: Pace
) -> Body:
    """The body, as far as it keeps to `max_bytes`; what does not fit in memory is in `folder`.

    The caller closes its file.

    Raises:
        FetchError: it is larger, or compressed in a way that is not read, or does not keep `pace`.
        OutputError: the folder cannot be written.
    """
    coding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if coding not in _CODINGS:
        raise FetchError("unsupported_encoding", f"Content-Encoding {coding[:40]!r} is not read")
    if (response.content_length or 0) > max_bytes:
        raise FetchError(
            "too_large_file", f"{response.content_length} bytes, at most {max_bytes} are fetched"
        )
    # Closed here where anything goes wrong, else by the caller.
    file = tempfile.SpooledTemporaryFile(IN_MEMORY_BYTES, dir=str(folder))  # noqa: SIM115
    try:
        size, began_s = 0, time.monotonic()
        async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
            size += len(chunk)
            if size > max_bytes:
                raise FetchError("too_large_file", f"more than {max_bytes} bytes")
            pace.check(began_s, size, response.content_length)
            _write(file, chunk, folder)
    except BaseException:
        file.close()
        raise
    return Body(file, size, coding)


def _write(file: IO[bytes], chunk: bytes, folder: Path) -> None:
    try:
        file.write(chunk)
    except OSError as error:
        # Not the server's fault, and so not the link's.
        raise output_error(folder, error) from error


def _inflate(file: IO[bytes], max_bytes: int) -> bytes:
    """What `file` holds out of gzip or zlib, never more than `max_bytes` of it."""
    inflater = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
    data = bytearray()
    try:
        while not inflater.eof and (chunk := file.read(_CHUNK_BYTES)):
            while chunk and not inflater.eof:
                data += inflater.decompress(chunk, max_bytes + 1 - len(data))
                if len(data) > max_bytes:
                    raise FetchError(
                        "too_large_file", f"more than {max_bytes} bytes after decompression"
                    )
                chunk = inflater.unconsumed_tail
    except zlib.error as error:
        raise FetchError("broken_data", f"the compressed body is damaged: {error}") from error
    if not inflater.eof and file.tell():
        raise FetchError("truncated", "the compressed body breaks off")
    return bytes(data)


class Room:
    """Room for `capacity` pixels (or what else is counted), first come, first served."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._free = capacity
        self._turn = asyncio.Lock()
        self._freed = asyncio.Condition()

    @asynccontextmanager
    async def take(self, size: int) -> AsyncIterator[None]:
        """Holds room for `size` while the block runs; more than there is counts as all of it."""
        size = min(size, self._capacity)
        # Whoever waits lets nobody pass, or something large would wait for ever.
        async with self._turn, self._freed:
            await self._freed.wait_for(lambda: self._free >= size)
            self._free -= size
        try:
            yield
        finally:
            self._free += size
            async with self._freed:
                self._freed.notify_all()
