"""A server on all of 127.0.0.0/8 that does what servers of the web do to whoever fetches from them.

What it does stands in the link: `/KIND/NUMBER`, and more behind that for some. It runs in a process
of its own, so that neither program that is measured has to share its interpreter with it.
"""

import asyncio
import multiprocessing
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection

import numpy as np

SLOW_S = (1.0, 4.0)
DRIP_S = 6.0
CRAWL_S = 40.0
"""Longer than our deadline for a picture."""

MUTE_S = 3600.0
HOPS = 8
LONG_HEADER = 20_000
PICTURE_KINDS = (
    *("good", "slow", "drip", "crawl", "moved", "far"),
    *("signed", "elsewhere", "wordy", "moody"),
)
"""Kinds of links by which a patient client gets a picture at the first attempt."""

_DRIPS = 12
_SIGNATURE = "a%2Cb,c%7E.jpg?by=x%2Fy%3D/z"


@dataclass(frozen=True)
class Mix:
    """How many links of each kind there are, and on how many hosts those that answer lie.

    `crawl` takes longer than a drip, `far` is behind many redirects, `signed` is answered only as
    it is written, `elsewhere` says 203 and `wordy` much in a header. `moody` links are answered by
    hosts that never answer their `mute` ones.
    """

    good: int = 1260
    slow: int = 120
    drip: int = 60
    crawl: int = 20
    moved: int = 60
    far: int = 20
    signed: int = 40
    elsewhere: int = 20
    wordy: int = 20
    moody: int = 30
    mute: int = 30
    busy_once: int = 40
    missing: int = 100
    broken: int = 60
    reset: int = 20
    opted_out: int = 20
    silent: int = 80
    hosts: int = 120
    silent_hosts: int = 10
    moody_hosts: int = 3


def make_links(mix: Mix, *, port: int, silent_port: int, seed: int) -> list[str]:
    """The links in a drawn order; those of each kind are spread over the hosts."""
    rng = np.random.default_rng(seed)
    links = []
    for kind, count in vars(mix).items():
        if kind.endswith("hosts"):
            continue
        for number in range(count):
            host = f"127.0.1.{1 + int(rng.integers(mix.hosts))}:{port}"
            if kind == "silent":
                host = f"127.0.2.{1 + number % mix.silent_hosts}:{silent_port}"
            elif kind in ("moody", "mute"):
                host = f"127.0.3.{1 + number % mix.moody_hosts}:{port}"
            rest = {"signed": f"/{_SIGNATURE}", "far": f"/{HOPS}"}.get(kind, "")
            links.append(f"http://{host}/{kind}/{number}{rest}")
    return [links[int(place)] for place in rng.permutation(len(links))]


@contextmanager
def serve(picture: bytes) -> Iterator[tuple[int, int]]:
    """The port of the server and that of hosts which take connections and never answer."""
    with socket.socket() as silent:
        silent.bind(("0.0.0.0", 0))
        silent.listen(4096)
        context = multiprocessing.get_context("spawn")
        here, there = context.Pipe()
        process = context.Process(target=_run, args=(picture, there), daemon=True)
        process.start()
        try:
            yield here.recv(), silent.getsockname()[1]
        finally:
            process.terminate()
            process.join()


def _run(picture: bytes, pipe: Connection) -> None:
    asyncio.run(_serve(picture, pipe))


async def _serve(picture: bytes, pipe: Connection) -> None:
    seen: set[str] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            path = (await reader.readuntil(b"\r\n\r\n")).split()[1].decode()
            await _answer(path, picture, writer, first=path not in seen)
            seen.add(path)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    listener = await asyncio.start_server(handle, "0.0.0.0", 0, backlog=4096)
    pipe.send(listener.sockets[0].getsockname()[1])
    async with listener:
        await listener.serve_forever()


async def _answer(path: str, picture: bytes, writer: asyncio.StreamWriter, *, first: bool) -> None:
    _, kind, number, *rest = path.split("/", 3)
    whole = _head(200, len(picture), "Content-Type: image/jpeg") + picture
    if kind == "slow":
        least, most = SLOW_S
        await asyncio.sleep(least + (most - least) * (int(number) % 10) / 9)
    if kind == "mute":
        await asyncio.sleep(MUTE_S)
    if (
        kind in ("good", "slow", "moody")
        or (kind == "busy_once" and not first)
        or (kind == "signed" and rest == [_SIGNATURE])
        or (kind == "far" and rest == ["0"])
    ):
        writer.write(whole)
    elif kind == "elsewhere":
        writer.write(_head(203, len(picture), "Content-Type: image/jpeg") + picture)
    elif kind == "wordy":
        writer.write(_head(200, len(picture), f"X-Policy: {'a' * LONG_HEADER}") + picture)
    elif kind == "far":
        writer.write(_head(302, 0, f"Location: /far/{number}/{int(rest[0]) - 1}"))
    elif kind in ("drip", "crawl"):
        writer.write(_head(200, len(picture), "Content-Type: image/jpeg"))
        size = -(-len(picture) // _DRIPS)
        for place in range(0, len(picture), size):
            writer.write(picture[place : place + size])
            await writer.drain()
            await asyncio.sleep((DRIP_S if kind == "drip" else CRAWL_S) / _DRIPS)
    elif kind == "moved":
        writer.write(_head(302, 0, f"Location: /good/moved{number}"))
    elif kind == "busy_once":
        writer.write(_head(503, 0))
    elif kind == "broken":
        writer.write(_head(200, 20, "Content-Type: image/jpeg") + b"<html>no</html>     ")
    elif kind == "reset":
        writer.write(_head(200, len(picture)) + picture[:200])
        await writer.drain()
        writer.transport.abort()
    elif kind == "opted_out":
        writer.write(_head(200, len(picture), "X-Robots-Tag: noai") + picture)
    else:
        writer.write(_head(404, 0))


def _head(status: int, length: int, *lines: str) -> bytes:
    about = (f"HTTP/1.1 {status} Said", "Connection: close", f"Content-Length: {length}", *lines)
    return "\r\n".join(about).encode() + b"\r\n\r\n"
