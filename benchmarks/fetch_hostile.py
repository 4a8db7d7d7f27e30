"""What servers can do to `pairloom fetch`: hold it up by silence, fill its memory with pictures.

    python benchmarks/fetch_hostile.py [--deadline S] [--seed N] [--json]

Servers of this process answer on 127.0.0.0/8. For silence there are 128 links to a host that takes
connections and never answers, then 64 to one that does, with the defaults but for the deadline: how
long until the last good picture, and until the end. For memory the whole command line fetches, with
its defaults, 80 pictures of almost 20 MB from 16 hosts, a quarter of which are encoded anew, and 4
of 49 megapixels with transparency; the resident memory of it and of all processes below it is
summed many times a second, and the greatest sum counts.
"""

import argparse
import asyncio
import http.server
import io
import socket
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from memory import watch
from PIL import Image
from support.reporting import Target, add_report_flags, at_most, finish
from support.still_life_job import command

from transforms.fetching.fetcher import fetch_links
from transforms.fetching.options import FetchOptions
from transforms.fetching.policy import FetchError
from transforms.pictures.decoding import NormalisedPicture, encode_png

SILENT_LINKS = 128
GOOD_LINKS = 64
LARGE_BODIES = 80
LARGE_PICTURES = 4
HOSTS = 16
LOCAL = ("127.0.0.0/8",)
MOST_MIB = 1200.0
"""What docs/sources.md says of memory with the defaults."""


def make_pictures(seed: int) -> dict[str, bytes]:
    """The path of each kind of picture, and its file."""
    rng = np.random.default_rng(seed)
    noise = rng.integers(0, 256, (2200, 2200, 4), np.uint8)
    small = encode_png(noise[:64, :64, :3])
    rgb = encode_png(rng.integers(0, 256, (2560, 2560, 3), np.uint8))
    return {
        "/small": small,
        "/kept": rgb,
        "/anew": _save(Image.fromarray(noise, "RGBA")),
        "/large": _save(Image.new("RGBA", (7000, 7000), (9, 99, 199, 77))),
    }


def _save(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


@contextmanager
def serve(pictures: Mapping[str, bytes]) -> Iterator[int]:
    """A server of `pictures` on all addresses of this machine; its port."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            data = pictures[self.path.partition("?")[0]]
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    class Server(http.server.ThreadingHTTPServer):
        request_queue_size = 512

    server = Server(("0.0.0.0", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


def measure_silence(port: int, deadline_s: float) -> dict[str, float]:
    """Seconds until the last good picture and until the end, beside one silent host."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.2", 0))
        silent.listen(SILENT_LINKS)
        hole = silent.getsockname()[1]
        links = [(-1, f"http://127.0.0.2:{hole}/{n}") for n in range(SILENT_LINKS)]
        links += [(n, f"http://127.0.0.1:{port}/small?{n}") for n in range(GOOD_LINKS)]
        good: list[float] = []
        began = time.perf_counter()

        def done(number: int, outcome: NormalisedPicture | FetchError) -> None:
            if number >= 0 and not isinstance(outcome, FetchError):
                good.append(time.perf_counter() - began)

        options = FetchOptions(deadline_s=deadline_s, allow_addresses=LOCAL)
        asyncio.run(fetch_links(links, done, options=options))
        seconds = time.perf_counter() - began
    return {"good": len(good), "last_good_s": max(good, default=seconds), "end_s": seconds}


def measure_memory(port: int, work: Path) -> dict[str, float]:
    """Greatest resident memory of the command, in MiB, and its seconds."""
    hosts = [f"127.0.0.{number + 1}" for number in range(HOSTS)]
    paths = ["/kept", "/kept", "/kept", "/anew"] * (LARGE_BODIES // 4)
    every = LARGE_BODIES // LARGE_PICTURES
    for place in range(LARGE_PICTURES):
        paths.insert(place * every, "/large")
    urls = [f"http://{hosts[n % HOSTS]}:{port}{path}?{n}" for n, path in enumerate(paths)]
    pq.write_table(pa.table({"URL": urls}), work / "links.parquet")
    words = command(
        *("fetch", work / "links.parquet", "--out", work / "store"),
        *("--allow-address", LOCAL[0], "--deadline", 600),
    )
    peak = watch(words, work / "fetch.log")
    table = pq.read_table(work / "store" / "00000.parquet", columns=["status"])
    fetched = table.column("status").to_pylist().count("success")
    return {"links": len(urls), "fetched": fetched, "peak_mib": peak.mib, "seconds": peak.seconds}


def main() -> None:
    """Measures both."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--deadline", type=float, default=5.0, help="seconds (default 5)")
    add_report_flags(parser)
    arguments = parser.parse_args()
    with (
        serve(make_pictures(arguments.seed)) as port,
        tempfile.TemporaryDirectory(prefix="pairloom-benchmark-") as work,
    ):
        figures: dict[str, Any] = {
            "deadline_s": arguments.deadline,
            "silence": measure_silence(port, arguments.deadline),
            "memory": measure_memory(port, Path(work)),
        }
    finish(arguments, figures=figures, targets=list_targets(figures))


def list_targets(figures: Mapping[str, Any]) -> list[Target]:
    """A silent host holds up nobody else, and memory stays within what is documented."""
    silence, memory, deadline_s = figures["silence"], figures["memory"], figures["deadline_s"]
    return [
        Target(
            name="good pictures not fetched beside a silent host",
            value=GOOD_LINKS - silence["good"],
            bound=at_most(0),
        ),
        Target(
            name="last good picture beside a silent host, deadlines",
            value=silence["last_good_s"] / deadline_s,
            bound=at_most(0.5),
        ),
        Target(
            name="end of a shard with a silent host, deadlines",
            value=silence["end_s"] / deadline_s,
            bound=at_most(3),
        ),
        Target(
            name="large pictures not fetched",
            value=memory["links"] - memory["fetched"],
            bound=at_most(0),
        ),
        Target(name="peak memory of fetch, MiB", value=memory["peak_mib"], bound=at_most(MOST_MIB)),
    ]


if __name__ == "__main__":
    main()
