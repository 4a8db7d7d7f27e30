"""A pool that starts Beam's Python workers for one TaskManager, at an address of its own.

    python cluster/worker_pool.py HOST:PORT

Beam's own pool takes a port of all addresses, starts whatever `python` comes first on the PATH and
never looks at a worker again. This one listens at one address, so that several can share a machine,
starts workers with the Python it runs by, and looks after them. An engine waits without end for a
worker that dies before it has reported, as one does that is killed for its memory while it
imports; so one that nobody has stopped is started again, a few times, for as long as somebody
listens where it has to report.
"""

import signal
import socket
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from types import FrameType

import grpc
from apache_beam.portability.api import beam_fn_api_pb2 as api
from apache_beam.portability.api import beam_fn_api_pb2_grpc as services
from apache_beam.runners.worker.worker_pool_main import kill_process_gracefully
from apache_beam.utils import thread_pool_executor

MOST_STARTS = 4
"""How often one worker is started. One that dies each time has a fault that no start mends."""
SECONDS_TO_BE_STOPPED = 3.0
"""An engine that has seen a worker die stops it. Before it could, none is started again."""
SECONDS_TO_REACH = 5.0
_RUN = (
    "import sys; from apache_beam.runners.worker.sdk_worker import SdkHarness; "
    "SdkHarness(sys.argv[1], worker_id=sys.argv[2]).run()"
)


@dataclass(eq=False)
class Worker:
    """A worker that an engine has asked for: `name` is what it calls it, `reports_to` an address.

    `command` runs it. What it prints goes where the pool's words go.
    """

    name: str
    reports_to: str
    command: list[str]
    stopped: threading.Event = field(default_factory=threading.Event)
    _process: "subprocess.Popen[bytes] | None" = None
    _changing: threading.Lock = field(default_factory=threading.Lock)

    def start(self) -> None:
        """Starts it, and keeps it going from a thread of its own.

        Raises:
            OSError: its program cannot be run.
        """
        threading.Thread(target=self._look_after, args=(self._launch(),), daemon=True).start()

    def stop(self) -> None:
        """Ends it, and starts it no more."""
        with self._changing:
            self.stopped.set()
            process = self._process
        if process is not None:
            kill_process_gracefully(process)

    def _launch(self) -> "subprocess.Popen[bytes] | None":
        with self._changing:
            if not self.stopped.is_set():
                self._process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL)
                return self._process
        return None

    def _look_after(self, process: "subprocess.Popen[bytes] | None") -> None:
        starts = 1
        while process is not None and process.wait() != 0:
            if self.stopped.wait(SECONDS_TO_BE_STOPPED) or not _listens(self.reports_to):
                return
            said = f"worker {self.name} ended with {process.returncode}, and nobody had stopped it"
            if starts == MOST_STARTS:
                print(f"{said}: it is let be after {starts} starts", flush=True)
                return
            starts += 1
            print(f"{said}: start {starts} of {MOST_STARTS}", flush=True)
            process = self._launch()


def _listens(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=SECONDS_TO_REACH):
            return True
    except (OSError, ValueError):
        return False


class WorkerPool(services.BeamFnExternalWorkerPoolServicer):  # type: ignore[misc]
    """Starts and stops workers as a TaskManager asks it to, each by its name."""

    def __init__(self) -> None:
        self._workers: dict[str, Worker] = {}

    def StartWorker(  # noqa: N802 - gRPC's name
        self, request: api.StartWorkerRequest, context: grpc.ServicerContext
    ) -> api.StartWorkerResponse:
        """Starts a worker; one of the same name, which its engine has lost, is ended before."""
        name, reports_to = request.worker_id, request.control_endpoint.url
        self._stop(name)
        print(f"starting worker {name}, which reports to {reports_to}", flush=True)
        worker = Worker(name, reports_to, [sys.executable, "-c", _RUN, reports_to, name])
        try:
            worker.start()
        except OSError as error:
            return api.StartWorkerResponse(error=f"cannot start a worker: {error}")
        self._workers[name] = worker
        return api.StartWorkerResponse()

    def StopWorker(  # noqa: N802 - gRPC's name
        self, request: api.StopWorkerRequest, context: grpc.ServicerContext
    ) -> api.StopWorkerResponse:
        """Stops a worker; one that is not there is stopped."""
        self._stop(request.worker_id)
        return api.StopWorkerResponse()

    def close(self) -> None:
        """Stops all of them."""
        for name in list(self._workers):
            self._stop(name)

    def _stop(self, name: str) -> None:
        worker = self._workers.pop(name, None)
        if worker is not None:
            worker.stop()


def serve(address: str) -> None:
    """Starts and stops workers as it is asked to, until SIGTERM or SIGINT comes."""
    server = grpc.server(thread_pool_executor.shared_unbounded_instance())
    pool = WorkerPool()
    services.add_BeamFnExternalWorkerPoolServicer_to_server(pool, server)
    if not server.add_insecure_port(address):
        raise SystemExit(f"cannot listen at {address}")
    ended = threading.Event()

    def end(_number: int, _frame: FrameType | None) -> None:
        ended.set()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    server.start()
    print(f"listening for TaskManagers at {address}, starting {sys.executable}", flush=True)
    ended.wait()
    server.stop(0)
    pool.close()


if __name__ == "__main__":
    serve(sys.argv[1])
