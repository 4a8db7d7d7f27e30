"""A pool that starts Beam's Python workers for one TaskManager, at an address of its own.

    python cluster/worker_pool.py HOST:PORT

Beam's own pool takes a port of all addresses and starts whatever `python` comes first on the PATH.
This one listens at one address, so that several can share a machine, and starts workers with the
Python it runs by.
"""

import os
import signal
import sys
import threading
from pathlib import Path
from types import FrameType

import grpc
from apache_beam.portability.api import beam_fn_api_pb2_grpc
from apache_beam.runners.worker.worker_pool_main import BeamFnExternalWorkerPoolServicer
from apache_beam.utils import thread_pool_executor


def serve(address: str) -> None:
    """Starts and stops workers as it is asked to, until SIGTERM or SIGINT comes."""
    folder = str(Path(sys.executable).parent)
    os.environ["PATH"] = os.pathsep.join([folder, os.environ.get("PATH", os.defpath)])
    server = grpc.server(thread_pool_executor.shared_unbounded_instance())
    pool = BeamFnExternalWorkerPoolServicer(use_process=True)
    beam_fn_api_pb2_grpc.add_BeamFnExternalWorkerPoolServicer_to_server(pool, server)
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


if __name__ == "__main__":
    serve(sys.argv[1])
