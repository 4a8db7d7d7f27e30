"""What clip-retrieval writes and answers, made without it."""

import http.server
import json
import threading
from contextlib import contextmanager, suppress

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from fakes.index import unit_vectors

VECTORS = unit_vectors(5, 8)


def write_folder(folder, *, kind="float16", sizes=(3, 2), names=None, vectors=VECTORS):
    """A folder as `clip-retrieval inference` writes it, one part for each of `sizes`."""
    names = names or [f"/data/a/{number}.jpg" for number in range(sum(sizes))]
    for name in ("img_emb", "metadata"):
        (folder / name).mkdir(parents=True)
    start = 0
    for number, size in enumerate(sizes):
        stop = start + size
        np.save(folder / "img_emb" / f"img_emb_{number}.npy", vectors[start:stop].astype(kind))
        table = pa.table({"image_path": names[start:stop], "caption": ["a chair"] * size})
        pq.write_table(table, folder / "metadata" / f"metadata_{number}.parquet")
        start = stop
    return folder


class KnnServer:
    """A stand-in for `clip-retrieval back` over an index of ours, and a server of its pictures.

    It answers what clip-retrieval 2.45 answers: 500 to a vector of another length or an index that
    is not there. `spoil` may hold, by path, functions that answer in its place.
    """

    def __init__(self, index, open_picture, *, name="pool"):
        self.index, self.open_picture, self.name = index, open_picture, name
        self.asked, self.spoil, self.url = [], {}, ""
        self.gone = set()

    def answer(self, path, body):
        """Status and body of one request."""
        self.asked.append(path)
        if path in self.spoil:
            found = self.spoil[path](body)
            if found is not None:
                return found
        if path == "/indices-list":
            return 200, json.dumps([self.name]).encode()
        if path == "/knn-service":
            return self._search(json.loads(body))
        row = int(path.rpartition("/")[2])
        if row in self.gone:
            return 404, b""
        return 200, self.open_picture(self.index.row(row).reference)

    def _search(self, asked):
        vector = np.asarray(asked["embedding_input"], np.float32)
        wrong = len(vector) != self.index.dimension or asked["modality"] != "image"
        if wrong or asked["indice_name"] != self.name or asked["deduplicate"]:
            return 500, b'{"message": "Internal Server Error"}'
        scores, rows = self.index.search(vector[None], min(asked["num_images"], len(self.index)))
        found = [
            {
                "caption": self.index.row(row).caption,
                "url": f"{self.url}/pictures/{row}",
                "LANGUAGE": "en" if row % 2 else None,
                "image_path": self.index.row(row).reference,
                "id": int(row),
                "similarity": float(score),
            }
            for score, row in zip(scores[0], rows[0], strict=True)
        ]
        return 200, json.dumps(found).encode()


@contextmanager
def knn_server(index, open_picture, **settings):
    """A `KnnServer` that runs while the block does."""
    told = KnnServer(index, open_picture, **settings)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self._answer(b"")

        def do_POST(self):
            self._answer(self.rfile.read(int(self.headers["Content-Length"])))

        def _answer(self, body):
            status, data = told.answer(self.path, body)
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            with suppress(ConnectionError):
                self.wfile.write(data)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        told.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield told
        finally:
            server.shutdown()
            thread.join()
