"""The engine behind a runner: whether it is there, how much it does at once, and its own cancel.

What is not there is told before a job is handed over, with its address; Beam and Flink would go on
trying for minutes.
"""

import json
import os
import shutil
import socket
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pipelines.terminal.console import CommandError

SECONDS_TO_ANSWER = 10.0
IN_THIS_PROCESS = ("[local]", "[auto]")
"""What Beam takes for a Flink master that the job server starts for itself."""
_HERE = ("localhost", "127.0.0.1", "::1")


def require_engine(runner: str, options: Mapping[str, Any]) -> None:
    """Makes sure that what `runner` needs according to Beam's `options` is there and answers.

    Raises:
        CommandError: a program, a file or a service is not, with its path or address.
    """
    if options.get("job_endpoint") not in (None, "embed"):
        _require_service("--job_endpoint", options["job_endpoint"], "a job server")
    elif runner == "FlinkRunner":
        if flink_address(options) is not None:
            _flink_slots(options)
        _require_java(options, "flink_job_server_jar")
    elif runner == "SparkRunner":
        if str(options["spark_master_url"]).startswith("spark://"):
            _require_service("--spark_master_url", options["spark_master_url"], "a Spark master")
        _require_java(options, "spark_job_server_jar")
    elif runner == "PrismRunner":
        _require_file("--prism_location", options.get("prism_location"))
    pool = _pool_address(options)
    if pool is not None and _is_here(pool) and _is_here(flink_address(options) or "localhost"):
        _require_service("--environment_config", pool, "a worker pool")


def count_slots(runner: str, options: Mapping[str, Any]) -> int | None:
    """How many pieces the engine works on at once by itself; None where it does not say.

    Raises:
        CommandError: a Flink master does not answer, or has no slots.
    """
    if runner != "FlinkRunner" or options.get("job_endpoint"):
        return None
    if flink_address(options) is None:
        return len(os.sched_getaffinity(0))
    return _flink_slots(options)


def flink_address(options: Mapping[str, Any]) -> str | None:
    """Where a Flink master answers, with its scheme; None for Flink in a job server's process."""
    master = str(options["flink_master"]).strip()
    if master in IN_THIS_PROCESS:
        return None
    return master if "://" in master else f"http://{master}"


def cancel_on_flink(options: Mapping[str, Any], job: str) -> None:
    """Asks the Flink master to cancel every job called `job`, where there is a master to ask.

    A job server that is gone cannot pass the wish on. What the master does not take is let be: the
    next run fences such a job off.
    """
    address = flink_address(options)
    if address is None:
        return
    with suppress(OSError, ValueError, KeyError, TypeError):
        for each in _ask(f"{address}/jobs/overview")["jobs"]:
            if each["name"] == job and each["state"] not in ("FINISHED", "CANCELED", "FAILED"):
                _ask(f"{address}/jobs/{each['jid']}?mode=cancel", method="PATCH")


def cancel_on_server(options: Mapping[str, Any], job: str) -> None:
    """Asks the job server at `--job_endpoint` to cancel every job called `job`, if there is one.

    It may have taken a job whose number the one who handed it over has never heard.
    """
    endpoint = options.get("job_endpoint")
    if endpoint in (None, "embed"):
        return
    import grpc
    from apache_beam.portability.api import beam_job_api_pb2 as api
    from apache_beam.portability.api import beam_job_api_pb2_grpc as services

    ended = {getattr(api.JobState, name) for name in ("DONE", "CANCELLED", "FAILED")}
    with suppress(grpc.RpcError), grpc.insecure_channel(str(endpoint)) as channel:
        server = services.JobServiceStub(channel)
        found = server.GetJobs(api.GetJobsRequest(), timeout=SECONDS_TO_ANSWER)
        for each in found.job_info:
            if each.job_name == job and each.state not in ended:
                cancel = api.CancelJobRequest(job_id=each.job_id)
                server.Cancel(cancel, timeout=SECONDS_TO_ANSWER)


def _flink_slots(options: Mapping[str, Any]) -> int:
    address = flink_address(options)
    try:
        slots = int(_ask(f"{address}/overview")["slots-total"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CommandError(
            f"no Flink master answers at {address} ({_reason(error)}): start the cluster, or mend "
            "--flink_master"
        ) from error
    if slots < 1:
        raise CommandError(
            f"the Flink cluster at {address} has no TaskManager: start one, nothing can run there"
        )
    return slots


def _ask(url: str, method: str = "GET") -> Any:
    request = urllib.request.Request(url, method=method)
    with urllib.request.urlopen(request, timeout=SECONDS_TO_ANSWER) as answer:
        body = answer.read()
    return json.loads(body) if body else {}


def _require_java(options: Mapping[str, Any], jar: str) -> None:
    launcher = options.get("job_server_java_launcher") or "java"
    if shutil.which(launcher) is None:
        raise CommandError(
            f"the job server needs Java, and there is no program {launcher} on the PATH: install "
            "it, or name it with --job_server_java_launcher"
        )
    _require_file(f"--{jar}", options.get(jar))


def _require_file(flag: str, value: str | None) -> None:
    if value is not None and "://" not in value and not Path(value).is_file():
        raise CommandError(f"{flag}: there is no file {value}")


def _require_service(flag: str, address: str, what: str) -> None:
    parts = urlsplit(address if "://" in address else f"//{address}")
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if host is None or port is None:
        raise CommandError(f"{flag} must be host:port, got {address}")
    try:
        socket.create_connection((host, port), timeout=SECONDS_TO_ANSWER).close()
    except OSError as error:
        raise CommandError(
            f"{what} must listen at {address} ({flag}), and nothing answers there "
            f"({_reason(error)}): start it, or mend the flag"
        ) from error


def _pool_address(options: Mapping[str, Any]) -> str | None:
    """The address of the pool that starts workers, where an address is what Beam was given."""
    if options.get("environment_type") != "EXTERNAL":
        return None
    config = options.get("environment_config")
    return config if isinstance(config, str) and not config.lstrip().startswith("{") else None


def describe_workers(options: Mapping[str, Any]) -> str:
    """Where a job's workers come from, for an error that says that none has come."""
    pool = _pool_address(options)
    if pool is not None:
        return (
            f"is the worker pool at {pool} (--environment_config) running beside every TaskManager,"
            " with the environment's python first on its PATH?"
        )
    kind = options.get("environment_type") or ("LOOPBACK" if _works_here(options) else "DOCKER")
    return f"can the engine start workers of --environment_type={kind}?"


def _works_here(options: Mapping[str, Any]) -> bool:
    """Whether Beam lets the workers be threads of this process unless it is told otherwise."""
    runner = options.get("runner")
    if runner == "FlinkRunner":
        return flink_address(options) is None
    if runner == "SparkRunner":
        return str(options.get("spark_master_url")).startswith("local")
    return runner == "PrismRunner"


def _is_here(address: str) -> bool:
    return urlsplit(address if "://" in address else f"//{address}").hostname in _HERE


def _reason(error: BaseException) -> str:
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(reason, OSError) and reason.strerror:
        return reason.strerror
    return str(reason) or type(error).__name__
