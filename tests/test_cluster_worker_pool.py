import os
import signal
import socket
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager

import grpc
import pytest
import worker_pool
from apache_beam.portability.api import beam_fn_api_pb2 as api
from apache_beam.portability.api import beam_fn_api_pb2_grpc as services
from processes import children
from worker_pool import MOST_STARTS, Worker, WorkerPool

STARTS = "import sys; open(sys.argv[1], 'a').write('x'); sys.exit(int(sys.argv[2]))"


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    monkeypatch.setattr(worker_pool, "SECONDS_TO_BE_STOPPED", 0.05)


@contextmanager
def listening():
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


def wait_until(condition, seconds=60.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def counting(tmp_path, reports_to, code):
    """A worker that ends with `code`, and how often it has been started."""
    starts = tmp_path / "starts"
    worker = Worker("1-1", reports_to, [sys.executable, "-S", "-c", STARTS, str(starts), str(code)])
    return worker, lambda: len(starts.read_text()) if starts.exists() else 0


def test_a_worker_that_dies_is_started_again_a_few_times(tmp_path, capsys):
    with listening() as address:
        worker, starts = counting(tmp_path, address, 3)
        worker.start()
        said = ""

        def is_let_be():
            nonlocal said
            said += capsys.readouterr().out
            return "let be" in said

        wait_until(is_let_be)
    assert starts() == MOST_STARTS
    lines = said.splitlines()
    assert (
        lines[0] == f"worker 1-1 ended with 3, and nobody had stopped it: start 2 of {MOST_STARTS}"
    )
    assert len(lines) == MOST_STARTS


@pytest.mark.parametrize(("code", "heard"), [(0, True), (3, False)])
def test_one_that_is_done_or_that_nobody_waits_for_is_not(tmp_path, code, heard):
    with listening() as address:
        worker, starts = counting(tmp_path, address if heard else "127.0.0.1:9", code)
        worker.start()
        wait_until(starts)
        time.sleep(0.5)
        assert starts() == 1


def test_one_that_was_stopped_is_not(tmp_path):
    with listening() as address:
        worker, starts = counting(tmp_path, address, 3)
        worker.stop()
        worker.start()
        assert starts() == 0


class Control(services.BeamFnControlServicer):
    """Where workers report: who has."""

    def __init__(self):
        self.reported, self.over = [], threading.Event()

    def Control(self, responses, context):  # noqa: N802 - gRPC's name
        self.reported.append(dict(context.invocation_metadata())["worker_id"])
        self.over.wait(60)
        return iter(())


@contextmanager
def serving(add, servicer):
    server = grpc.server(ThreadPoolExecutor(4))
    add(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(None).wait()


def test_an_engine_gets_its_worker_though_the_first_was_killed_before_it_reported():
    control, pool = Control(), WorkerPool()
    before = set(children(os.getpid()))

    def started():
        return set(children(os.getpid())) - before

    with (
        serving(services.add_BeamFnControlServicer_to_server, control) as reports_to,
        serving(services.add_BeamFnExternalWorkerPoolServicer_to_server, pool) as address,
        grpc.insecure_channel(address) as channel,
    ):
        stub = services.BeamFnExternalWorkerPoolStub(channel)
        request = api.StartWorkerRequest(worker_id="1-1")
        request.control_endpoint.url = reports_to
        try:
            assert not stub.StartWorker(request).error
            [first] = started()
            os.kill(first, signal.SIGKILL)
            wait_until(lambda: control.reported)
            assert control.reported == ["1-1"]
            [second] = started()
            assert second != first
            stub.StopWorker(api.StopWorkerRequest(worker_id="1-1"))
            wait_until(lambda: not started())
            stub.StopWorker(api.StopWorkerRequest(worker_id="1-1"))
        finally:
            control.over.set()
            pool.close()
