import itertools
import time
from functools import partial

import apache_beam as beam
import pytest
from apache_beam.metrics.execution import MetricKey, MetricResult
from apache_beam.metrics.metric import MetricName, MetricResults
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.runners.runner import PipelineResult, PipelineRunner, PipelineState

from indexes.fence import take_turn
from indexes.settled import SettledRows, read_settled
from pipelines.running import elsewhere
from pipelines.running.elsewhere import Watch, run_elsewhere
from pipelines.running.progress import SECONDS_BETWEEN_ASKS, Meter, count_settled
from transforms.batches.landing import LAND, SETTLED, Land

SHARDS = {"a": 4, "b": 3, "c": 3}


class TellingResult(PipelineResult):
    """A job whose engine gives its metrics while it runs, and keeps the first answer, as Beam's."""

    def __init__(self, told):
        super().__init__(PipelineState.RUNNING)
        self.told = told
        self.kept = None

    def metrics(self):
        if self.kept is None:
            self.kept = Told(*self.told)
        return self.kept


class Told(MetricResults):
    """What has been committed and attempted of the rows, and another counter of another stage."""

    def __init__(self, committed, attempted):
        self.committed, self.attempted = committed, attempted

    def query(self, filter=None):  # noqa: A002 - the name that Beam gives it
        found = [
            MetricResult(
                MetricKey("Write/Land", MetricName(LAND, SETTLED)), self.committed, self.attempted
            ),
            MetricResult(MetricKey("Read", MetricName("Read", "records")), 1000, 1000),
        ]
        wanted = [each for each in found if self.matches(filter, each.key)]
        return {"counters": wanted, "distributions": []}


class SilentResult(TellingResult):
    """A job whose engine gives none."""

    asked = 0

    def metrics(self):
        type(self).asked += 1
        raise NotImplementedError


class Looked:
    """A meter over `SHARDS`, and what it has told."""

    def __init__(self, fence=None):
        self.landed, self.told, self.away = set(), [], False
        self.meter = Meter(
            list(SHARDS),
            is_whole=self.is_whole,
            pictures=SHARDS.__getitem__,
            fence=fence,
            advance=self.told.append,
            clock=itertools.count(0, SECONDS_BETWEEN_ASKS).__next__,
        )

    def is_whole(self, shard):
        if self.away:
            raise OSError("the disk is away")
        return shard in self.landed

    def look(self, result=None):
        self.meter.look(result)
        return sum(self.told)


@pytest.mark.parametrize(
    ("told", "rows"), [((None, None), 0), ((0, 5), 5), ((7, None), 7), ((7, 5), 7), ((3, 5), 5)]
)
def test_rows_are_those_of_the_bundles_that_ended_and_of_the_ones_that_go_on(told, rows):
    assert count_settled(TellingResult(told)) == rows


def test_asking_while_it_runs_leaves_the_last_answer_to_be_asked_for():
    result = TellingResult((0, 2))
    assert count_settled(result) == 2
    result.told = (8, 8)
    assert count_settled(result) == 8
    assert result.metrics().committed == 8


def test_metrics_show_before_any_shard_has_landed():
    looked, result = Looked(), TellingResult((0, 0))
    shown = []
    for rows in (0, 2, 5, 10):
        result.told = (0, rows)
        shown.append(looked.look(result))
    assert shown == [0, 2, 5, 10]


def test_an_engine_is_asked_at_once_and_then_now_and_then():
    told, now = [], [5.0]
    meter = Meter(
        list(SHARDS),
        is_whole=lambda shard: False,
        pictures=SHARDS.__getitem__,
        fence=None,
        advance=told.append,
        clock=lambda: now[0],
    )
    result = TellingResult((0, 1))
    meter.look(result)
    result.told = (0, 6)
    meter.look(result)
    assert sum(told) == 1
    now[0] += SECONDS_BETWEEN_ASKS
    meter.look(result)
    assert sum(told) == 6


def test_what_workers_tell_and_what_has_landed_count_as_well(tmp_path):
    fence = take_turn(tmp_path)
    looked = Looked(fence)
    SettledRows(fence).add(2)
    assert looked.look() == 2
    looked.landed.add("a")
    assert looked.look() == 4
    SettledRows(fence).add(3)
    assert looked.look(TellingResult((0, 1))) == 5


def test_it_never_goes_back_and_never_beyond_the_whole():
    looked = Looked()
    assert looked.look(TellingResult((0, 6))) == 6
    assert looked.look(TellingResult((0, 1))) == 6
    assert looked.look(TellingResult((0, 900))) == 10
    looked.landed.update(SHARDS)
    assert looked.look(TellingResult((900, 900))) == 10
    assert min(looked.told) == 0


def test_an_engine_without_metrics_is_asked_once_and_shards_count():
    SilentResult.asked = 0
    looked, result = Looked(), SilentResult((0, 0))
    assert looked.look(result) == 0
    looked.landed.add("b")
    assert looked.look(result) == 3
    assert SilentResult.asked == 1


def test_a_disk_that_is_away_for_a_moment_stops_nobody():
    looked = Looked()
    looked.away = True
    assert looked.look(TellingResult((0, 4))) == 4
    looked.away = False
    looked.landed.update(SHARDS)
    assert looked.look() == 10


def test_a_job_that_has_ended_well_is_shown_as_done_and_then_nothing():
    looked = Looked()
    looked.look(TellingResult((0, 4)))
    looked.meter.finish()
    assert sum(looked.told) == 10
    looked.meter.stop()
    before = len(looked.told)
    looked.look()
    assert len(looked.told) == before


class Drawer:
    """A shard of so many rows."""

    def __init__(self, name, sources):
        self.name, self.sources = name, sources


def write(drawer, pieces, *, folder):
    (folder / drawer.name).touch()
    return drawer.name


def find_whole(drawer, *, folder):
    return drawer.name if (folder / drawer.name).exists() else None


def test_landing_counts_rows_in_metrics_and_tells_them(tmp_path):
    fence = take_turn(tmp_path)
    pieces = [
        (name, (kind, number, 1 if kind == "sheets" else 0, b""))
        for name, rows in SHARDS.items()
        for number in range(rows)
        for kind in ("sheets", "covers")
    ]
    pipeline = beam.Pipeline(runner=FnApiRunner())
    _ = (
        pipeline
        | beam.Create(pieces)
        | Land(
            [Drawer(name, rows) for name, rows in SHARDS.items()],
            ("sheets", "covers"),
            partial(write, folder=tmp_path),
            partial(find_whole, folder=tmp_path),
            fence,
        )
    )
    assert count_settled(pipeline.run()) == 10
    assert 0 < read_settled(fence) <= 10


class SteppingResult(TellingResult):
    """A job of ten rows that settles one whenever it is asked how many it has."""

    rows = 0

    def metrics(self):
        type(self).rows += 1
        return Told(0, self.rows)

    def wait_until_finish(self, duration=None):
        deadline = time.monotonic() + 30
        while self.rows < 10:
            assert time.monotonic() < deadline
            time.sleep(0.005)
        return PipelineState.DONE


class SteppingRunner(PipelineRunner):
    """Runs nothing and gives a `SteppingResult`."""

    def run_pipeline(self, pipeline, options):
        return SteppingResult((0, 0))


def test_a_job_is_asked_while_it_runs_as_often_as_that_is_cheap(monkeypatch):
    monkeypatch.setattr(elsewhere, "SECONDS_BETWEEN_LOOKS", 0.005)
    monkeypatch.setattr(elsewhere, "SHARE_OF_LOOKING", 1.0)
    looked = Looked()
    run_elsewhere(
        lambda pipeline: None,
        (f"--runner={__name__}.SteppingRunner",),
        Watch(looked.meter.look),
    )
    assert sum(looked.told) == 10
    assert looked.told.count(1) == 10
