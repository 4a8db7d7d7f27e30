"""What a job reads changes while it runs: it says so, and what was made of it is not finished."""

import dataclasses
import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fakes.command_line import (
    add_picture,
    build_command,
    copy_of_index,
    index_command,
    make_collection,
    preset_file,
)
from fakes.pictures import picture_bytes
from fakes.still_life import POOL, InterruptedSource, plan_index, plan_pairs

from indexes.folder import open_index
from indexes.folder_lock import LOCK_FILE, lock_folder
from indexes.layout import IndexFolderError
from pipelines.build.job import run_build
from pipelines.index.job import run_index
from pipelines.running.execution import Execution
from pipelines.running.job_inputs import JobInputs, read_inputs
from pipelines.terminal.console import CommandError
from transforms.dataset.files import dump_json
from transforms.dataset.shards import read_receipts
from transforms.sources.folder import FolderSource
from transforms.sources.listing import Listing
from transforms.sources.sorted_texts import SortedTexts

ROOT = Path(__file__).parent.parent
UNITS = Execution(pictures_a_unit=1)


@dataclasses.dataclass(frozen=True)
class RestlessSource:
    """`whole`, with which something happens when the picture at `position` is asked for."""

    whole: object
    position: int
    happen: object

    def read(self, shard):
        for picture in self.whole.read(shard):
            if picture.position == self.position:
                self.happen()
            yield picture

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.whole, name)

    def __reduce__(self):
        return type(self), (self.whole, self.position, self.happen)


@dataclasses.dataclass(frozen=True)
class AddPicture:
    folder: Path

    def __call__(self):
        add_picture(self.folder, "aaa.png", picture_bytes(77), "a red apple on the ship")


@dataclasses.dataclass(frozen=True)
class RemovePicture:
    path: Path

    def __call__(self):
        self.path.unlink(missing_ok=True)


@pytest.fixture
def pool(tmp_path):
    return make_collection(tmp_path / "pool")


@pytest.fixture
def source(pool):
    return FolderSource(str(pool), shard_size=3)


def test_a_picture_that_comes_while_it_is_indexed(tiny_preset, tmp_path, pool, source):
    plan = plan_index(tiny_preset, tmp_path / "i", source=source)
    restless = RestlessSource(source, 4, AddPicture(pool))
    with pytest.raises(
        CommandError, match=r"while it was being indexed \(files: 2 more, first aaa"
    ):
        run_index(dataclasses.replace(plan, source=restless), UNITS)
    with pytest.raises(IndexFolderError, match="not finished"):
        open_index(plan.folder)
    again = dataclasses.replace(plan, source=FolderSource(str(pool), shard_size=3))
    assert run_index(again, UNITS).indexed == 7


def test_a_picture_that_goes_and_comes_back(tiny_preset, tmp_path, pool, source):
    """What was made without it is not taken for what is made with it."""
    plan = plan_index(tiny_preset, tmp_path / "i", source=source)
    picture = pool / "good-002.png"
    data = picture.read_bytes()
    restless = RestlessSource(source, 1, RemovePicture(picture))
    with pytest.raises(CommandError, match=r"while .* \(files: 2 fewer, first good-002.png\)"):
        run_index(dataclasses.replace(plan, source=restless), UNITS)
    picture.write_bytes(data)
    again = dataclasses.replace(plan, source=FolderSource(str(pool), shard_size=3))
    summary = run_index(again, UNITS)
    assert (summary.indexed, summary.rejects) == (6, {})


def test_a_picture_that_comes_while_pairs_are_made(tiny_preset, tmp_path, pool, source):
    run_index(plan_index(tiny_preset, tmp_path / "i", source=source), UNITS)
    plan = plan_pairs(tiny_preset, tmp_path / "i", tmp_path / "pairs", source=source)
    restless = RestlessSource(source, 4, AddPicture(pool))
    with pytest.raises(
        CommandError, match=r"while pairs were made of it \(files: 2 more, first aaa"
    ):
        run_build(dataclasses.replace(plan, source=restless), UNITS)
    assert not (tmp_path / "pairs" / "COMPLETED").exists()
    assert read_receipts(tmp_path / "pairs") == []
    again = dataclasses.replace(plan, source=FolderSource(str(pool), shard_size=3))
    assert run_build(again, UNITS).counts.sources == 7


@dataclasses.dataclass(frozen=True)
class MakeAnew:
    """Makes another index of the same description in the place of one."""

    index: Path
    other: Path

    def __call__(self):
        shutil.rmtree(self.index)
        shutil.copytree(self.other, self.index)


def test_an_index_that_is_made_anew_while_pairs_are_made(tiny_preset, tmp_path, pool, source):
    index = tmp_path / "i"
    run_index(plan_index(tiny_preset, index, source=source), UNITS)
    shutil.copytree(index, tmp_path / "first")
    words = pool / "good-003.txt"
    said = words.read_text()
    words.write_text("a blue pear on the train")
    run_index(plan_index(tiny_preset, index, source=source), UNITS, overwrite=True)
    index.rename(tmp_path / "second")
    words.write_text(said)
    (tmp_path / "first").rename(index)
    plan = plan_pairs(tiny_preset, index, tmp_path / "pairs", source=source)
    restless = RestlessSource(source, 1, MakeAnew(index, tmp_path / "second"))
    with pytest.raises(IndexFolderError, match="was rewritten or removed while it was being read"):
        run_build(dataclasses.replace(plan, source=restless), UNITS)
    assert not (tmp_path / "pairs" / "COMPLETED").exists()
    other = plan_pairs(tiny_preset, index, tmp_path / "pairs", source=source)
    assert other.configuration_hash == plan.configuration_hash
    if read_receipts(tmp_path / "pairs"):
        with pytest.raises(CommandError, match="the index has been made anew since"):
            run_build(other, UNITS)


def test_an_open_index_answers_of_itself_or_not_at_all(tmp_path):
    index = copy_of_index(tmp_path / "index")
    other = copy_of_index(tmp_path / "other")
    opened = open_index(index)
    vectors = opened.embeddings([0, 1])
    MakeAnew(index, other)()
    assert (opened.embeddings([0, 1]) == vectors).all()  # what is read already stays as it was
    with pytest.raises(IndexFolderError, match="was rewritten or removed"):
        opened.row(0)
    shutil.rmtree(index)
    with pytest.raises(IndexFolderError, match="was rewritten or removed"):
        opened.structure(0)


def test_what_is_not_known_is_not_compared(tmp_path):
    known = JobInputs(
        source=FolderSource(str(make_collection(tmp_path / "a"))).listing(), index="x"
    )
    assert JobInputs().difference(known) is None
    assert known.difference(JobInputs()) is None
    assert known.difference(known) is None
    assert known.difference(dataclasses.replace(known, index="y")) == (
        "the index has been made anew since"
    )


def test_a_job_into_a_folder_that_is_being_written_is_refused(tmp_path, pool):
    for out, command in (("index", index_command), ("pairs", build_command)):
        folder = tmp_path / out
        with lock_folder(folder, "pairloom other"):
            line = command(pool, folder).error
        assert line.startswith(f"{folder} is being written by pairloom other (process ")
        assert not folder.exists()
        (folder / LOCK_FILE).parent.mkdir()
        (folder / LOCK_FILE).write_text("left by a job that was killed")
        assert command(pool, folder).code == 0
        assert not (folder / LOCK_FILE).exists()


INDEX = """
import sys
from pairloom.__main__ import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.slow
def test_a_second_process_is_refused_and_goes_on_when_the_first_is_killed(tmp_path):
    source = tmp_path / "many.yaml"
    source.write_text("{kind: still-life, count: 600, shard_size: 200, told: true}\n")
    out = tmp_path / "out"
    words = ["index", source, "--out", out, "--preset", preset_file(), "--captions", "source"]
    process = subprocess.Popen(
        [sys.executable, "-c", INDEX, *map(str, words)],
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1"},
    )
    with process:
        while not (out / "pairloom.json").exists():
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGSTOP)
        line = index_command(source, out).error
        process.kill()
    assert line.startswith(f"{out} is being written by pairloom index (process {process.pid} on ")
    assert index_command(source, out).code == 0
    assert len(open_index(out)) == 600


def test_a_lock_is_let_go_of_when_a_job_fails(tiny_preset, tmp_path):
    plan = plan_index(tiny_preset, tmp_path / "i")
    with pytest.raises(KeyboardInterrupt):
        run_index(dataclasses.replace(plan, source=InterruptedSource(POOL, 3)), Execution())
    assert not (tmp_path / "i" / LOCK_FILE).exists()
    with lock_folder(tmp_path / "i", "next"):
        pass


FILES = {'a "b"\\.png': "81 aa", "c/d.png": "no file", "é\n": "90 bb", "ß": ""}


@pytest.mark.parametrize("held", [0, 1000])
@pytest.mark.parametrize("index", [None, '"files": {}'])
def test_a_record_is_plain_json_and_read_again_however_long_it_is(tmp_path, held, index):
    files = SortedTexts(held=held)
    for name in sorted(FILES, reverse=True):
        files.put(name, FILES[name])
    inputs = JobInputs(source=Listing(files), index=index)
    inputs.write(tmp_path)
    plain = JobInputs(source=Listing(FILES), index=index)
    kept = {"source": {"files": FILES, "fingerprint": plain.source.fingerprint}}
    if index is not None:
        kept["index"] = {"fingerprint": index}
    assert (tmp_path / "inputs.json").read_bytes() == dump_json(kept)
    assert read_inputs(tmp_path) == inputs == plain
    assert read_inputs(tmp_path).difference(plain) is None
    (tmp_path / "inputs.json").write_text(json.dumps(kept))  # as a person may lay it out
    assert read_inputs(tmp_path) == plain


def test_a_record_without_files_is_kept_and_read(tmp_path):
    inputs = JobInputs(source=Listing({}), index="i")
    inputs.write(tmp_path)
    assert read_inputs(tmp_path) == inputs


@pytest.mark.parametrize(
    ("before", "after"), [('"81 aa"', "81"), ('"81 aa",', '"81 aa"'), ("}", ""), ("files", "flies")]
)
def test_a_record_that_was_spoiled_is_not_read_as_one(tmp_path, before, after):
    JobInputs(source=Listing(FILES)).write(tmp_path)
    path = tmp_path / "inputs.json"
    path.write_text(path.read_text().replace(before, after))
    if after == "flies":
        assert read_inputs(tmp_path) == JobInputs()
        return
    with pytest.raises(CommandError, match="is no record of what a job reads"):
        read_inputs(tmp_path)
