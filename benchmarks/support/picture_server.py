"""A server of pictures on this machine, for what fetches them, and a list of links to them."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.still_life.source import StillLifeSource
from transforms.record import SourceImage

LOCAL = "127.0.0.0/8"


def render(count: int, *, seed: int) -> list[bytes]:
    """So many pictures of still lifes, encoded."""
    source = StillLifeSource(count=count, seed=seed)
    records = [each for shard in source.shards() for each in source.read(shard)]
    return [each.image for each in records if isinstance(each, SourceImage) and each.image]


@contextmanager
def serve(pictures: Sequence[bytes]) -> Iterator[str]:
    """The address below which `0.png`, `1.png` and so on lie, as long as the block runs.

    Every seventh is not found, every eleventh is no picture.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            number = int(Path(self.path).stem)
            body = b"" if number % 7 == 6 else pictures[number]
            self.send_response(200 if body else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[::-1] if number % 11 == 10 else body)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

        def handle(self) -> None:
            try:
                super().handle()
            except ConnectionError:
                return  # whoever asked was killed

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def write_links(path: Path, address: str, *, count: int) -> Path:
    """A list of links to `count` pictures at `address`, as LAION's metadata is."""
    links = [f"{address}/{number}.png" for number in range(count)]
    texts = [f"a still life, number {number}" for number in range(count)]
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"URL": links, "TEXT": texts}), path)
    return path
