"""Jobs over a data set, and over links: they read what they began with, and one at a time."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fakes.command_line import run

from indexes.folder_lock import lock_folder
from pipelines.running.job_folder import JobFolder, require_same
from pipelines.terminal.console import CommandError
from transforms.dataset.files import hash_file


@pytest.fixture
def links(tmp_path, server):
    """Metadata of three links."""
    path = tmp_path / "links.parquet"
    urls = [server.url(path) for path in ("/good", "/good_without_length", "/gzipped")]
    pq.write_table(pa.table({"URL": urls, "TEXT": ["a", "b", "c"]}), path)
    return path


def fetch(links, store):
    return run("fetch", links, "--out", store, "--allow-address", "127.0.0.0/8")


def test_links_that_have_changed_since_pictures_were_fetched(tmp_path, links, server):
    store = tmp_path / "store"
    assert fetch(links, store).code == 0
    before = {path: path.read_bytes() for path in store.iterdir()}
    assert fetch(links, store).code == 0
    assert before == {path: path.read_bytes() for path in store.iterdir()}
    urls = [server.url(path) for path in ("/good", "/good_without_length", "/redirect")]
    pq.write_table(pa.table({"URL": urls, "TEXT": ["a", "b", "c"]}), links)
    line = fetch(links, store).error
    assert line == (
        f"{store} holds pictures of links as they were, and the source has changed since "
        "(files: 1 other, first links.parquet): name another folder"
    )
    assert before == {path: path.read_bytes() for path in store.iterdir()}


def test_a_store_from_before_there_was_a_record_goes_on(tmp_path, links):
    store = tmp_path / "store"
    assert fetch(links, store).code == 0
    (store / "inputs.json").unlink()
    assert fetch(links, store).code == 0
    assert (store / "inputs.json").exists()


def test_one_fetch_at_a_time(tmp_path, links):
    with lock_folder(tmp_path / "store", "pairloom fetch"):
        line = fetch(links, tmp_path / "store").error
    assert "store is being written by pairloom fetch (process " in line


def test_a_data_set_that_was_made_anew_is_noticed(tmp_path):
    (tmp_path / "manifest.json").write_text("{}")
    description = {"dataset": {"manifest_sha256": hash_file(tmp_path / "manifest.json")}}
    require_same(tmp_path, description)
    (tmp_path / "manifest.json").write_text("{ }")
    with pytest.raises(CommandError, match="was made anew or removed while it was being read"):
        require_same(tmp_path, description)
    (tmp_path / "manifest.json").unlink()
    with pytest.raises(CommandError, match="was made anew or removed while it was being read"):
        require_same(tmp_path, description)


@pytest.mark.parametrize("text", ["", "[]", "{", "3", "[" * 100_000, '{"identity": []}'])
def test_a_record_that_is_none_is_another_jobs(tmp_path, text):
    (tmp_path / "edits.json").write_text(text)
    job = JobFolder(folder=tmp_path, name="edits.json", one="edits", this="these edits")
    with pytest.raises(CommandError, match="holds edits with other settings or data"):
        job.claim("identity")


def test_a_folder_that_only_holds_its_lock_is_free(tmp_path):
    job = JobFolder(folder=tmp_path / "out", name="edits.json", one="edits", this="these edits")
    with lock_folder(tmp_path / "out", "pairloom edit-images"):
        assert not job.claim("identity")
        job.begin({}, "identity")
        assert job.claim("identity")


def job_in(folder):
    return JobFolder(folder=folder, name="run.json", one="a run", this="this run")


def test_what_killed_writers_left_is_removed_and_the_rest_stays(tmp_path):
    folder = tmp_path / "run"
    job_in(folder).begin({"steps": 3}, "one")
    (folder / "samples").mkdir()
    for name in (".run.json.0123abcd.tmp", "samples/.step-1.png.89abcdef.tmp"):
        (folder / name).write_text("half")
    (folder / "samples" / "step-1.png").write_text("whole")
    with pytest.raises(CommandError, match="holds a run with other settings"):
        job_in(folder).claim("another")
    assert len(list(folder.rglob("*.tmp"))) == 2  # another job's folder is left as it is
    assert job_in(folder).claim("one")
    files = {path.name for path in folder.rglob("*") if path.is_file()}
    assert files == {"run.json", "step-1.png"}
