"""Against the real clip-retrieval and img2dataset; `make interop` installs and runs it."""

import http.server
import json
import socket
import threading
import urllib.request

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fakes.folders import rows_of
from fakes.peers import clip_back, run_peer, save_shared_preset

from indexes.folder import open_index
from pairloom.__main__ import main
from pipelines.still_life.source import StillLifeSource

pytestmark = [pytest.mark.interop, pytest.mark.timeout(1500)]

COUNT = 40
POOL = StillLifeSource(count=COUNT, seed=5, told=True, two_objects_percent=0)
LOCAL = "127.0.0.0/8"
HALF = 1e-3
"""clip-retrieval keeps half precision."""


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    return tmp_path_factory.mktemp("interop")


@pytest.fixture(scope="module")
def preset(work):
    """A preset whose encoder clip-retrieval can load as well."""
    return save_shared_preset(work / "networks")


@pytest.fixture(scope="module")
def pictures(work):
    """A folder of pictures with captions beside them."""
    folder = work / "pictures"
    (folder / "below").mkdir(parents=True)
    for number, picture in enumerate(POOL.read(POOL.shards()[0])):
        stem = folder / ("below" if number % 3 else "") / f"{number:03d}"
        stem.with_suffix(".png").write_bytes(picture.image)
        stem.with_suffix(".txt").write_text(picture.alt_text)
    return folder


@pytest.fixture(scope="module")
def site():
    """The address of a server of the pool's pictures."""
    pool = [picture.image for picture in POOL.read(POOL.shards()[0])]

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            data = pool[int(self.path.strip("/").removesuffix(".png"))]
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def inferred(work, pictures, preset):
    """What `clip-retrieval inference` makes of the pictures."""
    infer(work, "inferred", preset, "--input_dataset", pictures)
    return work / "inferred"


@pytest.fixture(scope="module")
def store(work, site):
    """What img2dataset downloads of the pool: tars with captions and links."""
    links = [f"{site}/{number}.png" for number in range(COUNT)]
    texts = [picture.alt_text for picture in POOL.read(POOL.shards()[0])]
    path = work / "links.parquet"
    pq.write_table(pa.table({"URL": links, "TEXT": texts}), path)
    run_peer(
        "img2dataset",
        *(f"--url_list={path}", "--input_format=parquet", "--url_col=URL", "--caption_col=TEXT"),
        *("--output_format=webdataset", f"--output_folder={work / 'store'}"),
        *("--processes_count=1", "--thread_count=8", "--disable_all_reencoding=True"),
        cwd=work,
    )
    return work / "store"


@pytest.fixture(scope="module")
def store_index(work, store, preset):
    """Our index of what img2dataset downloaded."""
    index(store, work / "store_index", preset)
    return work / "store_index"


def infer(work, name, preset, *words):
    run_peer(
        "clip-retrieval",
        *("inference", "--output_folder", work / name, "--enable_text", "False"),
        *("--clip_model", f"hf_clip:{preset.parent / 'clip'}", "--use_jit", "False"),
        *("--batch_size", 16, "--num_prepro_workers", 1, *words),
        cwd=work,
    )


def index(pictures, out, preset, *words):
    words = ["index", pictures, "--out", out, "--preset", preset, "--captions", "source", *words]
    assert main([str(word) for word in words]) == 0


def test_an_index_of_inferred_embeddings_is_that_of_our_own(work, pictures, preset, inferred):
    index(pictures, work / "own", preset)
    index(pictures, work / "taken", preset, "--embeddings", inferred)
    own, taken = open_index(work / "own"), open_index(work / "taken")
    assert len(own) == COUNT
    assert own.keys() == taken.keys()
    rows = list(range(COUNT))
    np.testing.assert_allclose(own.embeddings(rows), taken.embeddings(rows), atol=HALF)
    np.testing.assert_array_equal(own.structures(rows), taken.structures(rows))


def test_an_index_of_clip_retrieval_is_read_too(work, pictures, preset, inferred):
    folder = work / "indexed"
    run_peer(
        "clip-retrieval",
        *("index", "--embeddings_folder", inferred, "--index_folder", folder),
        cwd=work,
    )
    assert not (folder / "img_emb").exists()
    index(pictures, work / "from_index", preset, "--embeddings", folder)
    index(pictures, work / "from_arrays", preset, "--embeddings", inferred)
    one, other = open_index(work / "from_index"), open_index(work / "from_arrays")
    rows = list(range(COUNT))
    np.testing.assert_allclose(one.embeddings(rows), other.embeddings(rows), atol=1e-6)


def test_embeddings_of_a_web_dataset_go_by_its_keys(work, store, preset, store_index):
    tar = next(store.glob("*.tar"))
    # img2dataset calls every picture that it does not encode anew a jpg.
    words = ("--input_format", "webdataset", "--input_dataset", tar, "--wds_image_key", "jpg")
    infer(work, "inferred_store", preset, *words)
    index(store, work / "taken_store", preset, "--embeddings", work / "inferred_store")
    own, taken = open_index(store_index), open_index(work / "taken_store")
    rows = list(range(COUNT))
    assert own.keys() == taken.keys()
    np.testing.assert_allclose(own.embeddings(rows), taken.embeddings(rows), atol=HALF)


def test_clip_retrieval_serves_our_index_and_a_build_asks_it(
    work, pictures, preset, store_index, site, capsys
):
    ours = open_index(store_index)
    model = preset.parent / "clip"
    out = work / "pairs"
    with clip_back({"ours": str(store_index)}, model=model, cwd=work, port=free_port()) as url:
        for row in range(0, COUNT, 7):
            scores, rows = ours.search(ours.embedding(row)[None], 5)
            found = ask(url, ours.embedding(row), 5)
            assert [each["id"] for each in found] == rows[0].tolist()
            similarities = [each["similarity"] for each in found]
            np.testing.assert_allclose(similarities, scores[0], atol=1e-5)
            for each in found:
                entry = ours.row(each["id"])
                assert (each["caption"], each["url"]) == (entry.caption, entry.url)
        words = ["build", pictures, "--index", url, "--out", out, "--preset", preset]
        words += ["--captions", "source", "--allow-address", LOCAL, "--no-selection"]
        assert main([str(word) for word in words]) == 0
    pairs = rows_of(out, "pairs")
    assert len(pairs) > COUNT / 2
    for pair in pairs:
        entry = ours.row(pair["target_row"])
        assert pair["target_url"] == entry.url
        assert pair["target_url"].startswith(site)
        assert pair["target_sha256"] == entry.content_sha256
        assert pair["target_caption"] == entry.caption
    capsys.readouterr()
    assert main(["verify", str(out)]) == 0


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def ask(url, vector, count):
    """A query as clip-retrieval's own client sends it."""
    body = {
        "embedding_input": vector.tolist(),
        "modality": "image",
        "num_images": count,
        "num_result_ids": count,
        "indice_name": "ours",
        "deduplicate": False,
    }
    request = urllib.request.Request(f"{url}/knn-service", json.dumps(body).encode())
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)
