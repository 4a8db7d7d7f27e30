"""Fixtures that several test files share. What they give must not be changed, unless said so."""

import os

# Before anything imports torch: its float results depend on the number of threads.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

import pytest
from fakes import records, sealed
from fakes.index import small_pool
from fakes.report import write_dataset
from fakes.server import misbehaving_server

from transforms.words.lexicon import load_lexicon

# Beam and torch are imported by the fixtures that need them: two seconds of each start.


def pytest_collection_modifyitems(items):
    """Puts the longest tests first: at the end, one of them would run with nothing beside it."""
    items.sort(key=lambda item: item.get_closest_marker("full_size") is None)


@pytest.fixture
def small_dataset(tmp_path):
    """The folder of a finished data set of two shards, which may be spoilt."""
    folder = tmp_path / "pairs"
    records.build(folder)
    return folder


@pytest.fixture
def sealed_dataset(tmp_path):
    """The folder of a data set that verify finds whole: three shards, the second of them empty."""
    folder = tmp_path / "pairs"
    sealed.build(folder)
    return folder


@pytest.fixture(scope="session")
def honest_dataset(tmp_path_factory):
    """The folder of a smaller one of that kind, made once; not to be changed but in a copy."""
    folder = tmp_path_factory.mktemp("honest") / "pairs"
    sealed.build(folder, (6, 0, 2))
    return folder


@pytest.fixture(scope="session")
def network_folders(tmp_path_factory):
    """A folder of a small random network for each loader; not to be changed."""
    from fakes.model_folders import SAVERS  # needs torch, which most tests do without

    return {name: save(tmp_path_factory.mktemp(name)) for name, save in SAVERS.items()}


@pytest.fixture(scope="session")
def report_folder(tmp_path_factory):
    """The folder of a data set of 30 drawn pairs and 18 rejects."""
    return write_dataset(tmp_path_factory.mktemp("report"), pairs=30, rejects=18)


@pytest.fixture(scope="session")
def pool():
    """Twelve drawn pictures with captions."""
    return small_pool()


@pytest.fixture(scope="session")
def tiny_preset(tmp_path_factory):
    """Very small random networks for the three parts of the pipeline."""
    from fakes.still_life import save_preset

    return save_preset(tmp_path_factory.mktemp("networks"))


@pytest.fixture(scope="session")
def editing_world(tmp_path_factory):
    """A folder with `tiny.yaml`, a preset of every editor's parts, its networks and `pairs`."""
    from fakes.editing import save_world

    return save_world(tmp_path_factory.mktemp("editing"))


@pytest.fixture(scope="session")
def editing_preset(editing_world):
    """The preset of the editing world."""
    from transforms.presets import load_preset

    return load_preset(str(editing_world / "tiny.yaml"))


@pytest.fixture(scope="session")
def tiny_diffusion(editing_world):
    """The very small random diffusion model of the editing world."""
    from fakes.diffusion import load_tiny

    return load_tiny(editing_world / "model")


@pytest.fixture(scope="session")
def told_index(tiny_preset, tmp_path_factory):
    """The folder of a finished index of still lifes with told captions, and its summary."""
    from fakes.still_life import plan_index

    from pipelines.index.job import run_index
    from pipelines.running.execution import Execution

    folder = tmp_path_factory.mktemp("told") / "index"
    return folder, run_index(plan_index(tiny_preset, folder), Execution())


@pytest.fixture(scope="session")
def told_world(tmp_path_factory):
    """The tiny preset with a diffusion model, and pairs of still lifes called `told`."""
    from fakes.evaluation import save_told_world

    return save_told_world(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="session")
def evaluated(told_world, tmp_path_factory):
    """The folder of an evaluation of `told_world`, and how the command ended."""
    from fakes.evaluation import evaluate

    folder = tmp_path_factory.mktemp("evaluation") / "eval"
    return folder, evaluate(told_world, folder)


@pytest.fixture(scope="session")
def lexicon():
    """The packaged table of words."""
    return load_lexicon()


@pytest.fixture(scope="session")
def running_server():
    """A server that misbehaves, for the whole session."""
    with misbehaving_server() as server:
        yield server


@pytest.fixture
def server(running_server):
    """The server, which has been asked for nothing yet."""
    running_server.asked.clear()
    running_server.most_at_once = 0
    return running_server


@pytest.fixture(scope="session")
def s3_store(tmp_path_factory):
    """The address of a bucket on an S3 server in this process."""
    from fakes.object_store import s3_server

    with s3_server() as address, pytest.MonkeyPatch.context() as patch:
        patch.setenv("PAIRLOOM_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield address


@pytest.fixture(params=["memory", "s3"])
def stored_folder(request):
    """A folder of its own on a store in this process's memory, and one on S3."""
    from fakes.object_store import new_folder

    s3 = request.param == "s3"
    return new_folder(request.getfixturevalue("s3_store") if s3 else "memory://tests")
