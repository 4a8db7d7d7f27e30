"""A build on engines in processes of their own, beside this machine's: the same bytes.

Flink and the kills are for `make cluster-test`.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fakes.command_line import build_command, index_folder, make_collection, preset_file
from fakes.folders import hashes
from places import find_places

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    """A folder with pictures, and pairs built of them by this machine."""
    root = tmp_path_factory.mktemp("engines")
    make_collection(root / "pictures", 12)
    assert build_command(root / "pictures", root / "here").code == 0
    return root


def check_bytes(root, runner, *flags):
    """Builds on `runner` what is in `root`, from relative paths, and compares."""
    words = ["build", "pictures", "--index", str(index_folder()), "--out", runner]
    words += ["--preset", str(preset_file()), "--captions", "source", "--senses", "frequency"]
    words += ["--runner", runner, "--", *flags]
    done = subprocess.run(
        [sys.executable, "-m", "pairloom", *words],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    # A busy machine is told how far the job is.
    told = [line for line in done.stderr.splitlines() if not line.startswith("building pairs: ")]
    assert (done.returncode, told) == (0, [])
    here, there = hashes(root / "here"), hashes(root / runner)
    assert {name for name in there if not name.startswith(".pairloom")} == set(here)
    assert all(there[name] == here[name] for name in here)


@pytest.fixture
def job_service(tmp_path):
    """The address of Beam's own job service, in a process of its own."""
    port_file = tmp_path / "port"
    module = "apache_beam.runners.portability.local_job_service_main"
    log = (tmp_path / "job-service.log").open("w", encoding="utf-8")
    service = subprocess.Popen(
        [sys.executable, "-m", module, "--port_file", str(port_file)], stdout=log, stderr=log
    )
    deadline = time.monotonic() + 120
    while not port_file.exists() or not port_file.read_text():
        assert service.poll() is None, (tmp_path / "job-service.log").read_text()
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)
    yield f"localhost:{port_file.read_text()}"
    service.terminate()
    service.wait(30)
    log.close()


@pytest.mark.slow
def test_a_job_service_gives_the_bytes_of_this_machine(here, job_service):
    flags = (f"--job_endpoint={job_service}", "--environment_type=LOOPBACK")
    check_bytes(here, "PortableRunner", *flags)


@pytest.mark.slow
def test_prism_gives_the_bytes_of_this_machine(here):
    places = [find_places(str(ROOT / "build" / "cluster")), find_places(None)]
    prism = next((each.prism for each in places if each.prism.is_file()), None)
    if prism is None:
        pytest.skip("Prism is not built: `make prism` does so where Go is at hand")
    check_bytes(here, "PrismRunner", f"--prism_location={os.path.relpath(prism, here)}")
