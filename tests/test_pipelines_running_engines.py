import http.server
import json
import socket
import threading
from contextlib import contextmanager

import pytest

from pipelines.running.beam_flags import read_options
from pipelines.running.engines import (
    cancel_on_flink,
    count_slots,
    describe_workers,
    flink_address,
    require_engine,
)
from pipelines.terminal.console import CommandError


class Master(http.server.BaseHTTPRequestHandler):
    """Answers as Flink's JobManager does, and remembers what it is told to cancel."""

    def do_GET(self):
        self.answer(self.server.answers[self.path])

    def do_PATCH(self):
        self.server.cancelled.append(self.path)
        self.answer({})

    def answer(self, what):
        body = json.dumps(what).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@contextmanager
def flink_master(slots):
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Master) as server:
        names = {"a": ("mine", "RUNNING"), "b": ("another", "RUNNING"), "c": ("mine", "FINISHED")}
        jobs = [{"jid": jid, "name": name, "state": state} for jid, (name, state) in names.items()]
        server.answers = {"/overview": {"slots-total": slots}, "/jobs/overview": {"jobs": jobs}}
        server.cancelled = []
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def options_of(*flags, runner="FlinkRunner"):
    return read_options([f"--runner={runner}", *flags])


def free_port():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return unused.getsockname()[1]


@pytest.fixture
def java(tmp_path):
    """Flags with a program and a jar that are there."""
    program, jar = tmp_path / "java", tmp_path / "server.jar"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    jar.write_bytes(b"")
    return f"--job_server_java_launcher={program}", f"--flink_job_server_jar={jar}"


def test_a_cluster_says_how_many_slots_it_has(java):
    with flink_master(6) as server:
        options = options_of(f"--flink_master=127.0.0.1:{server.server_port}", *java)
        require_engine("FlinkRunner", options)
        assert count_slots("FlinkRunner", options) == 6


def test_flink_in_the_job_server_has_a_slot_a_core():
    assert count_slots("FlinkRunner", options_of("--flink_master=[local]")) >= 1
    assert flink_address(options_of("--flink_master=[local]")) is None
    assert count_slots("PrismRunner", options_of(runner="PrismRunner")) is None


def test_a_cluster_without_task_managers_is_refused(java):
    with flink_master(0) as server:
        options = options_of(f"--flink_master=127.0.0.1:{server.server_port}", *java)
        with pytest.raises(CommandError, match=f":{server.server_port} has no TaskManager"):
            require_engine("FlinkRunner", options)


def test_what_does_not_answer_is_named_with_its_address(java, tmp_path):
    port = free_port()
    cases = [
        ("FlinkRunner", [f"--flink_master=localhost:{port}"], f"at http://localhost:{port} "),
        ("PortableRunner", [f"--job_endpoint=localhost:{port}"], f"at localhost:{port} "),
        ("SparkRunner", [f"--spark_master_url=spark://localhost:{port}"], f"localhost:{port} "),
        ("PrismRunner", ["--prism_location=/no/prism"], "--prism_location: there is no file /no"),
        (
            "FlinkRunner",
            ["--flink_master=[local]", "--flink_job_server_jar=/no.jar"],
            "--flink_job_server_jar: there is no file /no.jar",
        ),
        (
            "FlinkRunner",
            ["--flink_master=[local]", "--job_server_java_launcher=/no/java"],
            "there is no program /no/java on the PATH",
        ),
        ("PortableRunner", ["--job_endpoint=nonsense"], "must be host:port, got nonsense"),
        (
            "FlinkRunner",
            [
                "--flink_master=[local]",
                *java,
                "--environment_type=EXTERNAL",
                f"--environment_config=localhost:{port}",
            ],
            f"a worker pool must listen at localhost:{port}",
        ),
    ]
    for runner, flags, said in cases:
        with pytest.raises(CommandError) as raised:
            require_engine(runner, options_of(*flags, runner=runner))
        assert said in str(raised.value)
        assert "\n" not in str(raised.value)


def test_only_jobs_of_that_name_that_still_run_are_cancelled():
    with flink_master(1) as server:
        cancel_on_flink(options_of(f"--flink_master=127.0.0.1:{server.server_port}"), "mine")
        assert server.cancelled == ["/jobs/a?mode=cancel"]
    cancel_on_flink(options_of(f"--flink_master=127.0.0.1:{free_port()}"), "mine")


def test_where_workers_come_from_is_told():
    external = options_of("--environment_type=EXTERNAL", "--environment_config=pool:50000")
    assert "the worker pool at pool:50000" in describe_workers(external)
    far = options_of("--flink_master=far:8081")
    assert "--environment_type=DOCKER" in describe_workers(far)


@pytest.mark.parametrize(
    ("flags", "kind"),
    [
        (("--runner=FlinkRunner", "--flink_master=[local]"), "LOOPBACK"),
        (("--runner=FlinkRunner", "--flink_master=host:8081"), "DOCKER"),
        (("--runner=SparkRunner", "--spark_master_url=local[2]"), "LOOPBACK"),
        (("--runner=SparkRunner", "--spark_master_url=spark://host:7077"), "DOCKER"),
        (("--runner=PrismRunner",), "LOOPBACK"),
        (("--runner=FlinkRunner", "--environment_type=PROCESS"), "PROCESS"),
    ],
)
def test_workers_are_told_to_be_where_beam_starts_them(flags, kind):
    assert f"--environment_type={kind}?" in describe_workers(read_options(flags))
