"""An HTTP server on 127.0.0.1 that does everything a server should not.

Each path is one way to misbehave. It is written on bare sockets, because a proper HTTP library
would refuse to send most of this.
"""

import asyncio
import gzip
import socket
import struct
import threading
import zlib
from collections import Counter
from contextlib import contextmanager

import numpy as np

from transforms.pictures.decoding import encode_png

PICTURE = encode_png(np.random.default_rng(0).integers(0, 255, (40, 40, 3), np.uint8))
LARGE = encode_png(np.random.default_rng(0).integers(0, 255, (700, 1000, 3), np.uint8))


def answer(body=b"", *, status="200 OK", headers=(), length=None):
    """A whole HTTP answer; `length` is what Content-Length claims, True to leave it out."""
    lines = [f"HTTP/1.1 {status}", "Connection: close", *headers]
    if length is not True:
        lines.append(f"Content-Length: {len(body) if length is None else length}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def huge_header():
    """A PNG file that claims 100 megapixels and holds next to none."""
    size = struct.pack(">IIBBBBB", 10_000, 10_000, 8, 2, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n"
    for kind, body in ((b"IHDR", size), (b"IDAT", zlib.compress(bytes(99)))):
        data += struct.pack(">I", len(body)) + kind + body
        data += struct.pack(">I", zlib.crc32(kind + body))
    return data


GZIPPED = ("Content-Encoding: gzip",)
FIXED = {
    "/good": answer(PICTURE),
    "/large": answer(LARGE),
    "/good_without_length": answer(PICTURE, length=True),
    "/gzipped": answer(gzip.compress(PICTURE, mtime=0), headers=GZIPPED),
    "/gzip_bomb": answer(gzip.compress(bytes(30_000_000), mtime=0), headers=GZIPPED),
    "/gzip_garbage": answer(PICTURE, headers=GZIPPED),
    "/gzip_half": answer(gzip.compress(PICTURE, mtime=0)[:900], headers=GZIPPED),
    "/brotli": answer(PICTURE, headers=("Content-Encoding: br",)),
    "/length_too_long": answer(PICTURE, length=len(PICTURE) + 1000),
    "/length_too_short": answer(PICTURE, length=len(PICTURE) // 2),
    "/length_huge": answer(PICTURE, length=10**12),
    "/length_nonsense": answer(PICTURE, length="many"),
    "/length_negative": answer(PICTURE, length=-5),
    "/chunk_garbage": answer(
        b"zz\r\nnonsense", headers=("Transfer-Encoding: chunked",), length=True
    ),
    "/not_found": answer(b"gone", status="404 Not Found"),
    "/forbidden": answer(status="403 Forbidden"),
    "/always_500": answer(status="500 Internal Server Error"),
    "/busy_for_an_hour": answer(status="429 Too Many Requests", headers=("Retry-After: 3600",)),
    "/html": answer(b"<html>sorry</html>", headers=("Content-Type: image/jpeg",)),
    "/half": answer(PICTURE[: len(PICTURE) // 2]),
    "/huge_header": answer(huge_header()),
    "/empty": answer(b""),
    "/noai": answer(PICTURE, headers=("X-Robots-Tag: noai",)),
    "/noimageai": answer(PICTURE, headers=("X-Robots-Tag: all, NoImageAI",)),
    "/noindex_second": answer(PICTURE, headers=("X-Robots-Tag: all", "x-robots-tag: noindex")),
    "/no_for_us": answer(PICTURE, headers=("X-Robots-Tag: pairloom: noimageindex",)),
    "/no_for_others": answer(PICTURE, headers=("X-Robots-Tag: otherbot: noindex, noai",)),
    "/redirect_noai": answer(status="302 Found", headers=("Location: /good", "X-Robots-Tag: noai")),
    "/redirect": answer(status="302 Found", headers=("Location: /good",)),
    "/redirect_loop": answer(status="301 Moved", headers=("Location: /redirect_loop",)),
    "/redirect_nowhere": answer(status="302 Found"),
    "/redirect_bad": answer(status="302 Found", headers=("Location: http://[::1/x",)),
    "/redirect_file": answer(status="302 Found", headers=("Location: file:///etc/passwd",)),
    "/redirect_ftp": answer(status="307 Moved", headers=("Location: ftp://example.org/a",)),
    "/redirect_private": answer(status="302 Found", headers=("Location: http://10.1.2.3/a.png",)),
    "/redirect_metadata": answer(
        status="308 Moved", headers=("Location: http://169.254.169.254/latest/meta-data",)
    ),
    "/early_hints": b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 50 + answer(PICTURE),
    "/cookies": answer(PICTURE, headers=("Set-Cookie: a b=;;\x01", "Set-Cookie: " + "x" * 8000)),
    "/long_header": answer(PICTURE, headers=("Content-Security-Policy: " + "x" * 30_000,)),
    "/as_told_by_another": answer(PICTURE, status="203 Non-Authoritative Information"),
    "/a%2Cb,%7E?c=%2F/%3D&d=e%7Cf": answer(PICTURE),
    "/caf%E9": answer(PICTURE),
    "/redirect_latin": b"HTTP/1.1 302 Found\r\nLocation: /caf\xe9\r\nContent-Length: 0\r\n\r\n",
    "/redirect_signed": answer(
        status="302 Found", headers=("Location: /a%2Cb,%7E?c=%2F/%3D&d=e|f",)
    ),
    "/tdm_reserved": answer(PICTURE, headers=("TDM-Reservation: 1",)),
    "/not_found_noai": answer(status="404 Not Found", headers=("X-Robots-Tag: noai;",)),
    "/not_modified_noai": answer(status="304 Not Modified", headers=("X-Robots-Tag: all noai",)),
    "/redirect_to_mail": answer(status="302 Found", headers=("Location: http://127.0.0.1:25/",)),
    "/redirect_script": answer(status="302 Found", headers=("Location: javascript:alert(1)",)),
    "/redirect_long": answer(status="302 Found", headers=("Location: /" + "x" * 100_000,)),
    "/switching": b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n" + PICTURE,
    "/nothing": answer(status="204 No Content"),
    "/a_part": answer(PICTURE[:100], status="206 Partial Content"),
    "/no_http": PICTURE,
    "/two_lengths": answer(PICTURE, headers=("Content-Length: 5",)),
    "/length_and_chunks": answer(PICTURE, headers=("Transfer-Encoding: chunked",)),
    "/one_long_header": answer(PICTURE, headers=("X-A: " + "b" * 1_000_000,)),
    "/waits_for_ever": answer(status="503 Unavailable", headers=("Retry-After: " + "9" * 400,)),
    "/garbage": b"\x00\xff\x13 what is HTTP?\r\n\r\n",
    "/endless_headers": b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 50_000,
    "/closes_at_once": b"",
    "/stops_in_headers": b"HTTP/1.1 200 OK\r\nContent-Le",
}


class MisbehavingServer:
    """Its address, how often each path was asked for, and how many waited at once."""

    def __init__(self):
        self.asked = Counter()
        self.at_once = 0
        self.most_at_once = 0
        self.port = 0

    def url(self, path):
        return f"http://127.0.0.1:{self.port}{path}"

    async def handle(self, reader, writer):
        try:
            request = (await reader.readuntil(b"\r\n\r\n")).split()
            path = request[1].decode()
            self.asked[path] += 1
            await self.respond(path, writer)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def respond(self, path, writer):
        """The answers that take time or change with the number of the request."""
        first = self.asked[path] == 1
        if path in FIXED:
            writer.write(FIXED[path])
        elif path.startswith("/slow_drip"):
            writer.write(answer(length=len(PICTURE)))
            for byte in PICTURE:
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(0.05)
        elif path.startswith("/creeps"):
            writer.write(answer(length=True if path == "/creeps_without_length" else len(PICTURE)))
            for start in range(0, len(PICTURE), 500):
                writer.write(PICTURE[start : start + 500])
                await writer.drain()
                await asyncio.sleep(0.08)
        elif path == "/endless_body":
            writer.write(answer(length=True))
            while True:
                writer.write(bytes(65_536))
                await writer.drain()
        elif path.startswith("/takes_a_while"):
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
            await asyncio.sleep(0.05)
            self.at_once -= 1
            writer.write(FIXED["/good"])
        elif path.startswith("/to?"):
            writer.write(answer(status="302 Found", headers=(f"Location: {path[4:]}",)))
        elif path == "/asks_to_wait":
            busy = answer(status="503 Unavailable", headers=("Retry-After: 1",))
            writer.write(busy)
        elif path.startswith("/hangs_before_headers"):
            await asyncio.sleep(60)
        elif path == "/500_then_ok":
            writer.write(FIXED["/always_500"] if first else FIXED["/good"])
        elif path == "/429_then_ok":
            busy = answer(status="429 Too Many Requests", headers=("Retry-After: 1",))
            writer.write(busy if first else FIXED["/good"])
        elif path == "/reset_then_ok" and not first:
            writer.write(FIXED["/good"])
        elif path in ("/reset", "/reset_then_ok"):
            writer.write(FIXED["/good"][:500])
            await writer.drain()
            # Lingering for no time makes closing a reset.
            writer.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
            )
            writer.transport.abort()
        else:
            writer.write(FIXED["/not_found"])


@contextmanager
def misbehaving_server():
    """The server, running in a thread of its own while the block runs."""
    server = MisbehavingServer()
    loop = asyncio.new_event_loop()
    started = threading.Event()

    async def serve():
        # On all of 127.0.0.0/8, whose addresses are hosts of their own.
        listener = await asyncio.start_server(server.handle, "0.0.0.0", 0)
        server.port = listener.sockets[0].getsockname()[1]
        started.set()
        async with listener:
            await stop.wait()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    stop = asyncio.Event()
    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    started.wait(10)
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()
