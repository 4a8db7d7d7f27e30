"""The search index filled by workers elsewhere: whatever runs the graph, the same bytes."""

from functools import partial

import apache_beam as beam
import numpy as np
import pytest
from fakes.folders import hashes
from fakes.index import DESCRIPTION, unit_vectors
from fakes.still_life import plan_index

from indexes import life_cycle
from indexes.fence import RUNNING_FOLDER, take_turn
from indexes.folder import open_index
from indexes.index_choice import IndexChoice
from indexes.layout import STRUCTURE_BYTES, Part, fingerprint
from indexes.life_cycle import begin_index, finish_index
from indexes.parts import PartContents, PictureMetadata, write_part
from indexes.spread_filling import plan_filling, remove_fillings
from indexes.whole_parts import read_whole_parts
from pipelines.index import filling as index_filling
from pipelines.index.filling import fill_unless_over, filling_graph, filling_job, train_for
from pipelines.index.job import run_index
from pipelines.running.execution import Execution
from pipelines.running.sharded_job import run_job

CHOICE = IndexChoice("IVF8,Flat", "nprobe=8")
SIZES = (300, 0, 250, 450)
SETTINGS = {"seed": 0, "memory_gib": 16.0}
SOME = {**SETTINGS, "piece_bytes": 200 * 64}
"""Pieces of 200 vectors or more."""


def write_parts(folder):
    vectors = unit_vectors(sum(SIZES))
    begin_index(folder, DESCRIPTION)
    start = 0
    for number, size in enumerate(SIZES):
        rows = range(start, start + size)
        contents = PartContents(
            metadata=[
                PictureMetadata(key=f"p{n}", reference=f"{n}.png", content_sha256="", caption="a")
                for n in rows
            ],
            embeddings=vectors[start : start + size],
            structures=np.zeros((size, STRUCTURE_BYTES), np.uint8),
        )
        write_part(folder, Part(number, len(SIZES)), contents, fingerprint=fingerprint(DESCRIPTION))
        start += size
    return read_whole_parts(folder, len(SIZES), fingerprint=fingerprint(DESCRIPTION))


@pytest.fixture
def parts(tmp_path):
    """A folder of an index whose parts are written."""
    return tmp_path, write_parts(tmp_path)


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The files of the same index, finished on one machine."""
    folder = tmp_path_factory.mktemp("alone")
    write_parts(folder)
    finish_index(folder, parts=len(SIZES), choice=CHOICE, seed=0)
    return hashes(folder)


def finished(folder, filling):
    finish_index(folder, parts=len(SIZES), choice=CHOICE, seed=0, filling=filling)
    remove_fillings(folder)
    return {
        name: each for name, each in hashes(folder).items() if not name.startswith(RUNNING_FOLDER)
    }


@pytest.mark.parametrize(
    "execution",
    [
        Execution(beam_flags=("--runner=FnApiRunner",)),
        Execution(beam_flags=("--runner=BundleBasedDirectRunner",)),
        Execution(pictures_a_unit=1),
        pytest.param(Execution(workers=2, pictures_a_unit=1), marks=pytest.mark.slow),
    ],
    ids=["FnApiRunner", "BundleBasedDirectRunner", "one worker", "two workers"],
)
def test_the_index_has_the_bytes_of_one_finished_here(parts, alone, execution):
    folder, whole = parts
    filling = plan_filling(folder, whole, CHOICE, **SOME)
    assert len(filling.spans) == 3
    progress = run_job(filling_job(filling), execution)
    assert (progress.shards, progress.made) == (3, 3)
    assert run_job(filling_job(filling), execution).made == 0
    assert finished(folder, filling) == alone
    rows = open_index(folder).search(unit_vectors(1000), 1)[1]
    assert (rows[:, 0] == np.arange(1000)).all()


def test_a_filling_of_another_index_is_refused(parts):
    folder, whole = parts
    filling = plan_filling(folder, whole, IndexChoice("IVF9,Flat", ""), **SOME)
    with pytest.raises(ValueError, match="filling must be of IVF8,Flat, got IVF9,Flat"):
        finish_index(folder, parts=len(SIZES), choice=CHOICE, filling=filling)


def test_a_run_that_is_over_ends_without_a_word_and_without_a_piece(parts):
    folder, whole = parts
    filling = plan_filling(folder, whole, CHOICE, **SOME)
    lost = take_turn(folder)
    ours = take_turn(folder)
    assert list(train_for(filling.spans, filling=filling, fence=lost)) == []
    assert not filling.trained_path.exists()
    assert list(train_for(filling.spans, filling=filling, fence=ours)) == list(filling.spans)
    fill_unless_over(filling.spans[0], filling=filling, fence=lost)
    assert not filling.is_filled(filling.spans[0])
    pipeline = beam.Pipeline("FnApiRunner")
    filling_graph(pipeline, filling.spans, filling=filling, fence=lost)
    pipeline.run().wait_until_finish()
    assert not any(map(filling.is_filled, filling.spans))


def test_an_index_job_elsewhere_fills_the_search_index_there(
    tiny_preset, told_index, tmp_path, monkeypatch
):
    jobs = []

    def choose(count, dimension, *, memory_gib):
        return IndexChoice("IVF8,Flat", "nprobe=8")

    def spied(job, execution):
        jobs.append((job.label, len(job.shards)))
        return run_job(job, execution)

    monkeypatch.setattr(life_cycle, "choose_index", choose)
    monkeypatch.setattr(index_filling, "choose_index", choose)
    monkeypatch.setattr(index_filling, "plan_filling", partial(plan_filling, piece_bytes=1))
    monkeypatch.setattr(index_filling, "run_job", spied)
    here, there = tmp_path / "here", tmp_path / "there"
    run_index(plan_index(tiny_preset, here), Execution())
    assert jobs == []
    run_index(plan_index(tiny_preset, there), Execution(beam_flags=("--runner=FnApiRunner",)))
    assert jobs == [("search index", 3)]
    written = {n: each for n, each in hashes(there).items() if not n.startswith(RUNNING_FOLDER)}
    assert written == hashes(here)
    assert not list((there / RUNNING_FOLDER).glob("index-*"))


def test_a_small_index_needs_no_job(parts):
    folder, whole = parts
    assert plan_filling(folder, whole, CHOICE, **SETTINGS) is None
