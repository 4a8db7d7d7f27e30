import json
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial

import apache_beam as beam
import pytest

from indexes.fence import RUNNING_FOLDER, TURN_FILE, Fence, FencedError
from pipelines.running import sharded_job
from pipelines.running.execution import Execution
from pipelines.running.sharded_job import ShardedJob, run_job, run_unit
from pipelines.running.sharing import ShardUnit
from pipelines.terminal.console import CommandError
from transforms.dataset.files import OutputError


@dataclass(frozen=True)
class Drawer:
    """A shard: so many sheets in a drawer that has a name."""

    name: str
    sheets: int


TURN = f"{RUNNING_FOLDER}/{TURN_FILE}"
DRAWERS = (Drawer("a", 3), Drawer("b", 3), Drawer("c", 0), Drawer("d", 9))


def write_drawer(drawer, *, folder, broken):
    if drawer.name in broken:
        raise OutputError(f"drawer {drawer.name} is stuck")
    (folder / drawer.name).write_text("sheet\n" * drawer.sheets)


def write_drawers(pipeline, drawers, *, folder, broken=()):
    """The graph: a file a drawer, and a line a pipeline in `pipelines`."""
    with (folder / "pipelines").open("a") as file:
        file.write("".join(drawer.name for drawer in drawers) + "\n")
    _ = (
        pipeline
        | beam.Create(drawers)
        | beam.Reshuffle()
        | beam.Map(write_drawer, folder=folder, broken=broken)
    )


@pytest.fixture
def job(tmp_path):
    return ShardedJob(
        label="writing",
        shards=DRAWERS,
        is_whole=lambda drawer: (tmp_path / drawer.name).is_file(),
        pictures=lambda drawer: drawer.sheets,
        graph=partial(write_drawers, folder=tmp_path),
    )


def pipelines(folder):
    path = folder / "pipelines"
    return path.read_text().split() if path.exists() else []


def drawers(folder):
    found = (path for path in folder.iterdir() if path.name != "pipelines")
    return {path.name: path.read_text().count("sheet") for path in found}


ALL = {drawer.name: drawer.sheets for drawer in DRAWERS}


@pytest.mark.parametrize(
    ("least", "units"),
    [(1, ["a", "b", "cd"]), (4, ["ab", "cd"]), (100, ["abcd"])],
)
def test_every_shard_is_made_in_pipelines_that_are_large_enough(job, tmp_path, least, units):
    progress = run_job(job, Execution(pictures_a_unit=least))
    assert (progress.shards, progress.made, progress.skipped) == (4, 4, 0)
    assert drawers(tmp_path) == ALL
    assert pipelines(tmp_path) == units


def test_a_job_may_want_larger_pipelines_than_the_execution(job, tmp_path):
    run_job(replace(job, least_pictures=100), Execution(pictures_a_unit=1))
    assert pipelines(tmp_path) == ["abcd"]


def test_what_is_whole_is_left_alone(job, tmp_path):
    for name in "bd":
        (tmp_path / name).write_text("mine")
    progress = run_job(job, Execution())
    assert (progress.made, progress.skipped) == (2, 2)
    assert pipelines(tmp_path) == ["ac"]
    assert (tmp_path / "b").read_text() == (tmp_path / "d").read_text() == "mine"


@pytest.mark.parametrize("flags", [(), ("--runner=FnApiRunner",)])
def test_a_whole_job_starts_no_pipeline(job, tmp_path, flags):
    for drawer in DRAWERS:
        (tmp_path / drawer.name).write_text("")
    progress = run_job(job, Execution(beam_flags=flags))
    assert (progress.made, progress.skipped, progress.seconds.seconds) == (0, 4, {})
    assert pipelines(tmp_path) == []


def test_a_job_without_shards_is_done(job, tmp_path):
    progress = run_job(replace(job, shards=()), Execution())
    assert (progress.shards, progress.made) == (0, 0)
    assert pipelines(tmp_path) == []


def test_what_fails_midway_is_gone_on_with(job, tmp_path):
    stuck = replace(job, graph=partial(write_drawers, folder=tmp_path, broken=("b",)))
    with pytest.raises(OutputError, match="drawer b is stuck"):
        run_job(stuck, Execution(pictures_a_unit=1))
    assert drawers(tmp_path) == {"a": 3}
    progress = run_job(job, Execution(pictures_a_unit=1))
    assert (progress.made, progress.skipped) == (3, 1)
    assert drawers(tmp_path) == ALL
    assert pipelines(tmp_path) == ["a", "b", "b", "cd"]


def test_a_runner_elsewhere_gets_all_that_waits_at_once(job, tmp_path):
    (tmp_path / "a").write_text("sheet\n" * 3)
    execution = Execution(beam_flags=("--runner=FnApiRunner",), pictures_a_unit=1)
    assert run_job(job, execution).made == 3
    assert drawers(tmp_path) == ALL
    assert pipelines(tmp_path) == ["bcd"]


def test_what_fails_elsewhere_is_one_line(job, tmp_path):
    stuck = replace(job, graph=partial(write_drawers, folder=tmp_path, broken=("b",)))
    with pytest.raises(CommandError, match="the job on FnApiRunner failed: drawer b is stuck"):
        run_job(stuck, Execution(beam_flags=("--runner=FnApiRunner",)))


@pytest.mark.slow
def test_several_workers_make_the_same(job, tmp_path):
    run_job(job, Execution(workers=2, pictures_a_unit=1))
    assert drawers(tmp_path) == ALL
    assert sorted(pipelines(tmp_path)) == ["a", "b", "cd"]


def write_fenced(pipeline, drawers, *, fence, folder):
    """The graph of a job with a folder; whose turn it is stands in `turns`."""
    with (folder / "turns").open("a") as file:
        file.write(f"{fence and fence.number}\n")
    if fence is not None:
        fence.check()
    write_drawers(pipeline, drawers, folder=folder)


@pytest.fixture
def fenced(job, tmp_path):
    """The job, with its folder."""
    graph = partial(write_fenced, folder=tmp_path)
    return replace(job, graph=graph, folder=str(tmp_path), least_pictures=100)


def test_on_one_machine_there_are_no_turns_to_take(fenced, tmp_path):
    run_job(fenced, Execution())
    assert (tmp_path / "turns").read_text().split() == ["None"]
    assert not (tmp_path / RUNNING_FOLDER).exists()


def test_a_run_elsewhere_takes_a_turn_and_so_does_the_one_that_goes_on_here(fenced, tmp_path):
    run_job(fenced, Execution(beam_flags=("--runner=FnApiRunner",)))
    lost = Fence(str(tmp_path), 1, json.loads((tmp_path / TURN).read_bytes())["token"])
    lost.check()
    (tmp_path / "a").unlink()
    run_job(fenced, Execution())
    assert (tmp_path / "turns").read_text().split() == ["1", "2"]
    with pytest.raises(FencedError):
        lost.check()


def test_an_engine_that_is_not_there_leaves_the_folder_as_it_was(fenced, tmp_path):
    flags = ("--runner=PrismRunner", "--prism_location=/nowhere/prism")
    with pytest.raises(CommandError, match="there is no file /nowhere/prism"):
        run_job(fenced, Execution(beam_flags=flags))
    assert list(tmp_path.iterdir()) == []


def fail_fenced(pipeline, drawers, *, fence, folder):
    """The graph of a job whose drawer b is stuck."""
    write_drawers(pipeline, drawers, folder=folder, broken=("b",))


def see_nothing(pipeline, drawers, *, fence, folder):
    """The graph of a job whose workers have another file system."""
    _ = pipeline | beam.Create(drawers)


def test_workers_that_do_not_see_the_folder_are_told_of(fenced, tmp_path):
    blind = replace(fenced, graph=partial(see_nothing, folder=tmp_path))
    with pytest.raises(CommandError, match="no worker of it has seen") as raised:
        run_job(blind, Execution(beam_flags=("--runner=FnApiRunner",)))
    assert str(tmp_path) in str(raised.value)


def test_a_job_that_failed_elsewhere_leaves_the_turn_to_nobody(fenced, tmp_path):
    stuck = replace(fenced, graph=partial(fail_fenced, folder=tmp_path))
    with pytest.raises(CommandError, match="drawer b is stuck"):
        run_job(stuck, Execution(beam_flags=("--runner=FnApiRunner",)))
    assert json.loads((tmp_path / TURN).read_bytes()) == {"number": 1, "token": ""}
    run_job(fenced, Execution(beam_flags=("--runner=FnApiRunner",)))
    assert drawers_of(tmp_path) == ALL
    assert json.loads((tmp_path / TURN).read_bytes())["number"] == 2


def drawers_of(folder):
    """What `drawers` says, without what the run keeps for itself."""
    return {
        drawer.name: (folder / drawer.name).read_text().count("sheet")
        for drawer in DRAWERS
        if (folder / drawer.name).exists()
    }


def test_the_pictures_of_shards_that_land_are_counted(fenced, monkeypatch):
    advanced = []

    @contextmanager
    def progress(label, total):
        advanced.append((label, total))
        yield advanced.append

    monkeypatch.setattr(sharded_job, "show_progress", progress)
    run_job(fenced, Execution(beam_flags=("--runner=FnApiRunner",)))
    assert advanced[0] == ("writing", 15)
    assert sum(advanced[1:]) == 15


def test_a_unit_may_hold_any_shards_in_any_order(job, tmp_path):
    pictures, seconds = run_unit(ShardUnit((DRAWERS[3], DRAWERS[0]), 12), job.graph)
    assert (pictures, seconds.seconds) == (12, {})
    assert drawers(tmp_path) == {"a": 3, "d": 9}
