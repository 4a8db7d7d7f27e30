import logging
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial

import apache_beam as beam
import grpc
import pytest
from apache_beam.metrics.metric import MetricResults
from apache_beam.portability.api import beam_job_api_pb2 as api
from apache_beam.portability.api import beam_job_api_pb2_grpc as services
from apache_beam.runners.runner import PipelineResult, PipelineRunner, PipelineState

from indexes.fence import take_turn
from indexes.storage.paths import as_path
from pipelines.running import elsewhere
from pipelines.running.elsewhere import Watch, name_job, run_elsewhere
from pipelines.running.job_log import log_path
from pipelines.terminal.console import CommandError
from transforms.dataset.files import OutputError

FLAGS = ("--runner=FnApiRunner",)


class NoMetrics(MetricResults):
    """Nothing was measured."""

    def query(self, filter=None):  # noqa: A002 - the name that Beam gives it
        return {"counters": [], "distributions": []}


class NeverResult(PipelineResult):
    """A job that nobody works on until it is cancelled."""

    def __init__(self):
        super().__init__(PipelineState.RUNNING)
        self.cancelled, self.ended = 0, False

    def wait_until_finish(self, duration=None):
        deadline = time.monotonic() + 30
        while not self.cancelled and not self.ended:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        return PipelineState.DONE if self.ended else PipelineState.CANCELLED

    def metrics(self):
        return NoMetrics()

    def cancel(self):
        self.cancelled += 1


class NeverRunner(PipelineRunner):
    """Takes jobs and has no workers."""

    result = None

    def run_pipeline(self, pipeline, options):
        type(self).result = NeverResult()
        return self.result


class InterruptedRunner(NeverRunner):
    """The same, and Ctrl-C comes while it is waited for."""

    def run_pipeline(self, pipeline, options):
        result = super().run_pipeline(pipeline, options)
        result.wait_until_finish = interrupted
        return result


class HandingOverRunner(PipelineRunner):
    """Ctrl-C comes while the job is handed over."""

    def run_pipeline(self, pipeline, options):
        raise KeyboardInterrupt


class ThreadRunner(PipelineRunner):
    """A thread of its own fails, as Beam's do whose job server is gone, and Ctrl-C comes."""

    def run_pipeline(self, pipeline, options):
        thread = threading.Thread(target=self.read)
        thread.start()
        thread.join()
        raise KeyboardInterrupt

    def read(self):
        raise OutputError("the stream was removed")


class JobServer(services.JobServiceServicer):
    """Knows jobs by their names: one that runs and one that has ended of each."""

    def __init__(self, *names):
        self.names, self.cancelled = names, []

    def GetJobs(self, request, context):  # noqa: N802 - gRPC's name
        states = (("id of ", api.JobState.RUNNING), ("ended ", api.JobState.DONE))
        found = [
            api.JobInfo(job_id=f"{begin}{name}", job_name=name, state=state)
            for name in self.names
            for begin, state in states
        ]
        return api.GetJobsResponse(job_info=found)

    def Cancel(self, request, context):  # noqa: N802 - gRPC's name
        self.cancelled.append(request.job_id)
        return api.CancelJobResponse(state=api.JobState.CANCELLED)


@contextmanager
def job_server(*names):
    """The address of a job server with jobs of these names, and which of them were cancelled."""
    servicer = JobServer(*names)
    server = grpc.server(ThreadPoolExecutor(2))
    services.add_JobServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}", servicer.cancelled
    finally:
        server.stop(None).wait()


def interrupted(duration=None):
    raise KeyboardInterrupt


def stumble(_):
    raise OutputError("the drawer is stuck")


LOOKED_AT = threading.Event()


def wait_for_a_look(_):
    assert LOOKED_AT.wait(20)


def one_word(pipeline, *, then=len):
    _ = pipeline | beam.Create(["word"]) | beam.Map(then)


@pytest.fixture
def soon(monkeypatch):
    monkeypatch.setattr(elsewhere, "SECONDS_TO_BEGIN", 0.04)
    monkeypatch.setattr(elsewhere, "SECONDS_TO_GIVE_UP", 0.1)
    monkeypatch.setattr(elsewhere, "SECONDS_BETWEEN_LOOKS", 0.02)


def runner_flag(kind):
    return (f"--runner={__name__}.{kind.__name__}",)


def test_a_job_that_no_worker_begins_says_where_to_look_and_is_cancelled(tmp_path, soon, capsys):
    fence = take_turn(tmp_path)
    flags = (
        *runner_flag(NeverRunner),
        "--environment_type=EXTERNAL",
        "--environment_config=far:50000",
    )
    with pytest.raises(CommandError) as raised:
        run_elsewhere(one_word, flags, Watch(fence=fence), folder=tmp_path)
    for said in (str(raised.value), *capsys.readouterr().err.splitlines()):
        assert "no worker of the job" in said
        assert "the worker pool at far:50000 (--environment_config)" in said
    assert NeverRunner.result.cancelled == 1


def test_a_job_that_a_worker_begins_late_is_told_of_once_and_goes_on(tmp_path, soon, monkeypatch):
    monkeypatch.setattr(elsewhere, "SECONDS_TO_GIVE_UP", 30)
    fence = take_turn(tmp_path)
    said = []

    def tell(line):
        said.append(line)
        fence.begin()
        NeverRunner.result.ended = True

    monkeypatch.setattr(elsewhere, "print_note", tell)
    run_elsewhere(one_word, runner_flag(NeverRunner), Watch(fence=fence), folder=tmp_path)
    assert len(said) == 1
    assert NeverRunner.result.cancelled == 0


@pytest.mark.parametrize(("counts", "times"), [([0], 1), ([0, 5], 2), ([1, 2, 3, 4], 1)])
def test_a_job_that_gets_no_further_is_told_of_once_each_time_and_goes_on(
    tmp_path, monkeypatch, counts, times
):
    monkeypatch.setattr(elsewhere, "SECONDS_OF_SILENCE", 0.3)
    monkeypatch.setattr(elsewhere, "SECONDS_BETWEEN_LOOKS", 0.02)
    monkeypatch.setattr(elsewhere, "SHARE_OF_LOOKING", 1.0)
    fence = take_turn(tmp_path)
    fence.begin()
    said, left = [], list(counts)

    def look(result):
        # The last counts stay: the job is then told of; after that it goes on, or ends.
        if len(left) > 1 and (times == 1 or said):
            left.pop(0)
        return left[0]

    def tell(line):
        said.append(line)
        NeverRunner.result.ended = len(said) == times

    monkeypatch.setattr(elsewhere, "print_note", tell)
    run_elsewhere(one_word, runner_flag(NeverRunner), Watch(look, fence), folder=tmp_path)
    assert len(said) == times
    assert all("has got no further for" in line for line in said)
    assert NeverRunner.result.cancelled == 0


def test_ctrl_c_cancels_the_job(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run_elsewhere(one_word, runner_flag(InterruptedRunner), folder=tmp_path)
    assert InterruptedRunner.result.cancelled == 1


def test_a_failure_is_one_line_and_its_traceback_is_in_the_log(tmp_path, capsys):
    with pytest.raises(CommandError) as raised:
        run_elsewhere(partial(one_word, then=stumble), FLAGS, folder=tmp_path)
    log = log_path(tmp_path)
    assert str(raised.value) == (
        f"the job on FnApiRunner failed: the drawer is stuck (all of it is in {log})"
    )
    assert "Traceback" in log.read_text()
    assert "Traceback" not in capsys.readouterr().err


def test_what_goes_wrong_in_a_thread_of_beams_is_in_the_log_alone(tmp_path, capsys):
    hook = threading.excepthook
    with pytest.raises(KeyboardInterrupt):
        run_elsewhere(one_word, runner_flag(ThreadRunner), folder=tmp_path)
    assert "the stream was removed" in log_path(tmp_path).read_text()
    assert "Traceback" not in capsys.readouterr().err
    assert threading.excepthook is hook


def test_logging_is_as_it_was_when_the_job_has_ended(tmp_path):
    root = logging.getLogger()
    before = root.handlers[:], root.level
    run_elsewhere(one_word, FLAGS, folder=tmp_path)
    assert (root.handlers[:], root.level) == before


def test_a_look_that_never_ends_holds_nobody_up(tmp_path, monkeypatch, soon):
    monkeypatch.setattr(elsewhere, "SECONDS_TO_END_A_LOOK", 0.1)
    free = threading.Event()

    def look(result):
        LOOKED_AT.set()
        free.wait(30)

    began = time.monotonic()
    run_elsewhere(partial(one_word, then=wait_for_a_look), FLAGS, Watch(look), folder=tmp_path)
    assert time.monotonic() - began < 20
    free.set()


def test_the_log_of_a_folder_on_a_store_is_here_and_stays_only_where_it_is_needed(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    folder = as_path("memory://tests/elsewhere")
    run_elsewhere(one_word, FLAGS, folder=folder)
    assert list(tmp_path.glob("pairloom-job-*")) == []
    with pytest.raises(CommandError, match="the drawer is stuck") as raised:
        run_elsewhere(partial(one_word, then=stumble), FLAGS, folder=folder)
    [log] = tmp_path.glob("pairloom-job-*/job.log")
    assert f"(all of it is in {log})" in str(raised.value)
    assert "Traceback" in log.read_text()


def test_a_job_that_is_broken_off_while_it_is_handed_over_is_cancelled_by_its_name(tmp_path):
    fence = take_turn(tmp_path)
    flags = name_job(runner_flag(HandingOverRunner), fence)
    with job_server(flags[-1].partition("=")[2], "another") as (endpoint, cancelled):
        with pytest.raises(KeyboardInterrupt):
            run_elsewhere(one_word, (*flags, f"--job_endpoint={endpoint}"), folder=tmp_path)
        assert cancelled == [f"id of pairloom-1-{fence.token}"]


def test_a_job_server_that_is_gone_is_not_waited_for(tmp_path):
    with job_server() as (endpoint, _):
        pass
    with pytest.raises(KeyboardInterrupt):
        run_elsewhere(
            one_word,
            (*runner_flag(HandingOverRunner), "--job_name=x", f"--job_endpoint={endpoint}"),
            folder=tmp_path,
        )


def test_a_job_is_named_by_its_turn_unless_it_has_a_name(tmp_path):
    fence = take_turn(tmp_path)
    [flag] = name_job((), fence)
    assert flag == f"--job_name=pairloom-1-{fence.token}"
    assert name_job(("--job_name=mine",), fence) == ("--job_name=mine",)
    assert name_job((), None) == ()
