"""Files and folders on stores for the commands that make no index and no pairs: the bytes as here.

The store is fsspec's, in the memory of this process; `test_pipelines_on_stores.py` has the others.
"""

import json
from contextlib import contextmanager

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fakes.clip_retrieval import write_folder
from fakes.command_line import index_command, index_folder, pool_folder, run
from fakes.folders import contents, hashes
from fakes.object_store import new_folder, stored_contents, upload_folder
from fakes.pictures import picture_bytes
from PIL import Image

from indexes.folder import open_index
from pipelines.edit.layout_files import read_layout, read_layout_flags
from pipelines.main import read_arguments

SIDE = 32
CAPTIONS = "a\ta man in a red jacket\nb\ta woman in a blue jacket\n"


@pytest.fixture
def there(tmp_path_factory, monkeypatch):
    """An empty folder on the store; mirrors lie in a folder of their own."""
    monkeypatch.setenv("PAIRLOOM_CACHE", str(tmp_path_factory.mktemp("cache")))
    return new_folder("memory://tests")


def succeed(*words):
    outcome = run(*words)
    assert outcome.code == 0, outcome.err
    return outcome


def both(tmp_path, there, files):
    """Puts files into a folder here and into the one on the store."""
    here = tmp_path / "here"
    here.mkdir()
    for name, data in files.items():
        (here / name).write_bytes(data)
    upload_folder(here, there)
    return here, there


def mask_bytes(tmp_path):
    marked = np.zeros((SIDE, SIDE), np.uint8)
    marked[:, : SIDE // 2] = 255
    Image.fromarray(marked).save(tmp_path / "mask.png")
    return (tmp_path / "mask.png").read_bytes()


def test_a_picture_is_edited_there(there, editing_world, tmp_path):
    photo = picture_bytes(1, size=(SIDE, SIDE))
    flags = ("--preset", editing_world / "tiny.yaml", "--prompt", "a red pear", "--results", 2)
    for folder in both(tmp_path, there, {"photo.png": photo, "mask.png": mask_bytes(tmp_path)}):
        files = ("--mask", folder / "mask.png", "--mask-out", folder / "used.png")
        words = ("edit", folder / "photo.png", "--out", folder / "edited.png", *files)
        succeed(*words, *flags, "--editor", "sdedit", "--steps", 2)
    found = stored_contents(there)
    assert found == contents(tmp_path / "here")
    assert {"edited-1.png", "edited-2.png", "used.png"} < found.keys()
    words = ("edit", there / "photo.png", "--out", there / "photo-1.png", "--editor", "copy")
    over = run(*words, "--mask-out", there / "photo.png", *flags)
    assert "must be another file than" in over.error


def test_layouts_are_read_there(there, tmp_path):
    Image.new("RGB", (SIDE, SIDE), (255, 0, 0)).save(tmp_path / "map.png")
    files = {
        "map.png": (tmp_path / "map.png").read_bytes(),
        "map.yaml": b"{map: map.png, segments: {red: a pear}}",
        "mask.png": mask_bytes(tmp_path),
    }
    found = []
    for folder in both(tmp_path, there, files):
        for asked in (
            ("--segments", folder / "map.yaml"),
            ("--segment", f"{folder / 'mask.png'}=a pear"),
        ):
            words = ("edit", "photo.png", "--prompt", "x", "--out", "x.png", *asked)
            layout = read_layout_flags(read_arguments([str(word) for word in words]))
            found.append(read_layout(layout, (SIDE, SIDE)))
    here, on_store = found[:2], found[2:]
    for one, other in zip(here, on_store, strict=True):
        assert [each.phrase for each in one.segments] == ["a pear"]
        for mine, theirs in zip(one.segments, other.segments, strict=True):
            assert np.array_equal(np.asarray(mine.mask), np.asarray(theirs.mask))


def test_captions_are_rewritten_there(there, tmp_path):
    upload_folder(index_folder(), there / "index")
    files = {"captions.tsv": CAPTIONS.encode(), "pool.txt": b"a girl in a green jacket\n"}
    for folder in both(tmp_path, there, files):
        index = index_folder() if folder != there else there / "index"
        for name, pool in (
            ("by_file.tsv", ("--pool", folder / "pool.txt")),
            ("by_index.tsv", ("--index", index)),
        ):
            words = ("rewrite", folder / "captions.tsv", *pool, "--edits", 9)
            succeed(*words, "--out", folder / name)
    for name in ("by_file.tsv", "by_index.tsv"):
        assert (there / name).read_bytes() == (tmp_path / "here" / name).read_bytes()
    assert b"green jacket" in (there / "by_file.tsv").read_bytes()


def test_a_table_of_words_is_written_there(there, tmp_path, monkeypatch):
    class NoWords:
        def get_version(self):
            return "3.0"

    @contextmanager
    def no_words(_):
        yield NoWords()

    monkeypatch.setattr("pipelines.lexicon.command.open_wordnet", no_words)
    monkeypatch.setattr("pipelines.lexicon.command.build_table", lambda *_: [("verb", "run")])
    for folder in both(tmp_path, there, {"words.txt": b"# nouns\n"}):
        words = ("--words", folder / "words.txt", "--out", folder / "table.tsv.gz")
        succeed("lexicon", "build", *words)
    assert stored_contents(there) == contents(tmp_path / "here")


@pytest.mark.parametrize("name", ["links.parquet", "source.yaml"])
def test_links_are_read_there(there, server, tmp_path, name):
    links = tmp_path / "links.parquet"
    pq.write_table(pa.table({"URL": [server.url("/good")], "TEXT": ["a"]}), links)
    source = b"{kind: laion, metadata: links.parquet}"
    for folder in both(
        tmp_path, there, {"links.parquet": links.read_bytes(), "source.yaml": source}
    ):
        out = tmp_path / f"fetched-{folder != there}"
        succeed("fetch", folder / name, "--out", out, "--allow-address", "127.0.0.1")
    fetched = [
        {name for name in hashes(tmp_path / f"fetched-{local}") if name.endswith(".tar")}
        for local in (True, False)
    ]
    assert fetched[0] == fetched[1] == {"00000.tar"}


def test_pictures_are_not_fetched_to_a_store(there, tmp_path):
    source = there / "source.yaml"
    source.write_bytes(b"{kind: laion, metadata: links.parquet, store: fetched}")
    outcome = run("fetch", source)
    assert outcome.error.startswith(f"store must be on this machine, got {there}/fetched")
    source.write_bytes(b"{kind: links, store: fetched}")
    outcome = index_command(source, tmp_path / "index")
    assert outcome.error == f"{there}/fetched: fetched pictures must be on this machine"


def test_embeddings_are_read_there(there, tmp_path):
    known = open_index(index_folder())
    names = [known.row(row).reference for row in range(len(known))]
    vectors = known.embeddings(range(len(known)))
    sizes = (len(known) - 2, 2)
    stored = write_folder(
        tmp_path / "stored", kind="float32", names=names, vectors=vectors, sizes=sizes
    )
    indexes = []
    for folder in (stored, upload_folder(stored, there / "stored")):
        out = tmp_path / f"index-{len(indexes)}"
        outcome = index_command(pool_folder(), out, "--embeddings", folder)
        assert outcome.code == 0, outcome.err
        indexes.append(open_index(out))
    here, on_store = indexes
    rows = range(len(known))
    assert here.keys() == on_store.keys() == known.keys()
    assert np.array_equal(here.embeddings(rows), on_store.embeddings(rows))
    assert on_store.description["embeddings"]["path"] == f"{there}/stored"
    refused = index_command(there / "stored", tmp_path / "other")
    assert "holds embeddings that clip-retrieval wrote, and no pictures" in refused.error
    (stored / "metadata" / "metadata_1.parquet").unlink()
    broken = upload_folder(stored, there / "broken")
    refused = index_command(pool_folder(), tmp_path / "other", "--embeddings", broken)
    assert f"{broken}/img_emb/img_emb_1.npy must have 2 rows" in refused.error


def test_a_data_set_there_is_evaluated(there, told_world, tmp_path):
    pairs = upload_folder(told_world / "told", there / "told")
    flags = ("--preset", told_world / "tiny.yaml", "--editors", "copy", "--seeds", 0, "--edits", 4)
    found = []
    for folder in (told_world / "told", pairs):
        out = tmp_path / f"eval-{len(found)}"
        succeed("evaluate", folder, "--out", out, *flags, "--features", "clip")
        found.append(json.loads((out / "figures.json").read_bytes()))
    assert found[0] == found[1]


def test_what_is_there_is_planned_for(there):
    upload_folder(pool_folder(), there)
    outcome = succeed("plan", there, "--preset", "stilllife", "--json")
    (plan,) = outcome.counts["plans"]
    assert plan["pictures"] == 6
