"""What is handed to an engine: only what every engine knows, and small however large the source."""

import subprocess
import sys
from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from fakes.still_life import plan_index, plan_pairs

from indexes.fence import take_turn
from indexes.index_choice import IndexChoice
from indexes.spread_filling import Filling, PieceSpan
from pipelines.build.job import build_job
from pipelines.edit_images.job import EditPlan, LoadEditor, PairsShard, edit_graph
from pipelines.edit_images.shards import TaskGroup
from pipelines.index.filling import filling_job
from pipelines.index.job import index_job
from pipelines.running.execution import Execution
from pipelines.running.sharded_job import store_plans
from transforms.dataset.shards import OutputShard
from transforms.sources.folder import FolderSource

MOST_BYTES = 64 << 10
"""Of one payload; all messages of a job together must be of a few MiB."""

STANDARD_CODERS = {
    "beam:coder:bytes:v1",
    "beam:coder:bool:v1",
    "beam:coder:global_window:v1",
    "beam:coder:iterable:v1",
    "beam:coder:kv:v1",
    "beam:coder:length_prefix:v1",
    "beam:coder:nullable:v1",
    "beam:coder:string_utf8:v1",
    "beam:coder:tuple:v1",
    "beam:coder:varint:v1",
    "beam:coder:windowed_value:v1",
    "beam:coder:pickled_python:v1",
}
"""Those of Beam's model, and Python's own, which an engine passes on as bytes."""

STANDARD_TRANSFORMS = {
    "beam:transform:combine_per_key:v1",
    "beam:transform:flatten:v1",
    "beam:transform:generic_composite:v1",
    "beam:transform:group_by_key:v1",
    "beam:transform:impulse:v1",
    "beam:transform:pardo:v1",
    "beam:transform:pickled_python:v1",
    "beam:transform:reshuffle:v1",
}
"""The primitives of Beam's model; the pickled ones are composites, which an engine looks into."""

ROWS = 20_000


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """A folder of very many small files, and where they are indexed and built from."""
    root = tmp_path_factory.mktemp("portable")
    folder = root / "pictures"
    folder.mkdir()
    for number in range(ROWS):
        (folder / f"a-picture-with-a-long-name-{number:06d}.png").write_bytes(b"%d" % number)
    source = FolderSource(str(folder), shard_size=1000)
    store_plans(Execution(beam_flags=("--runner=FlinkRunner",)), root, source)
    return root, source


def graph_of(graph, shards, **more):
    options = PipelineOptions(["--environment_type=LOOPBACK", "--job_endpoint=embed"])
    pipeline = beam.Pipeline("PortableRunner", options)
    graph(pipeline, shards, **more)
    return pipeline.to_runner_api()


@pytest.fixture(scope="module")
def protos(pictures, tiny_preset, told_index):
    """The graphs of all jobs."""
    root, source = pictures
    fence = take_turn(root)
    index = index_job(plan_index(tiny_preset, root / "index", source=source), "mark")
    build = build_job(plan_pairs(tiny_preset, told_index[0], root / "pairs", source=source))
    filling = Filling(
        folder=str(root / "index"),
        mark="0" * 64,
        parts=2 * ROWS,
        dimension=512,
        choice=IndexChoice("IVF4000,Flat", "nprobe=16"),
        seed=0,
        memory_gib=16.0,
        spans=tuple(PieceSpan(n, 9 * n, 9 * n + 9, 10**6 * n, 10**6) for n in range(256)),
    )
    fill = filling_job(filling)
    shard = PairsShard(OutputShard(0, 1, "00000"), (TaskGroup("00000", "p", 0, False),), 5)
    plan = EditPlan(dataset=Path("/d"), folder=Path("/e"), choice=None, settings=None)
    return {
        "index": graph_of(index.graph, index.shards, fence=fence),
        "search index": graph_of(fill.graph, fill.shards, fence=fence),
        "build": graph_of(build.graph, build.shards, fence=fence),
        "edit-images": graph_of(
            edit_graph, [shard], plan=plan, load=LoadEditor("i", None), fence=fence
        ),
    }


JOBS = ("index", "search index", "build", "edit-images")


@pytest.mark.parametrize("job", JOBS)
def test_engines_know_all_coders_and_transforms(protos, job):
    parts = protos[job].components
    assert {coder.spec.urn for coder in parts.coders.values()} <= STANDARD_CODERS
    urns = {each.spec.urn for each in parts.transforms.values() if each.spec.urn}
    assert urns <= STANDARD_TRANSFORMS


@pytest.mark.parametrize("job", JOBS)
def test_keys_that_meet_have_coders_that_all_engines_write_alike(protos, job):
    parts = protos[job].components
    for transform in parts.transforms.values():
        if transform.spec.urn != "beam:transform:group_by_key:v1":
            continue
        [collection] = transform.inputs.values()
        pair = parts.coders[parts.pcollections[collection].coder_id]
        assert pair.spec.urn == "beam:coder:kv:v1"
        key = parts.coders[pair.component_coder_ids[0]].spec.urn
        assert key in {"beam:coder:string_utf8:v1", "beam:coder:varint:v1"}, transform.unique_name


@pytest.mark.parametrize("job", JOBS)
def test_no_payload_grows_with_the_source(protos, job):
    for name, transform in protos[job].components.transforms.items():
        size = len(transform.spec.payload)
        assert size < MOST_BYTES, f"{name}: {size} bytes"


@pytest.mark.parametrize("job", JOBS)
def test_a_process_that_has_only_the_distribution_opens_all_functions(protos, job, tmp_path):
    path = tmp_path / "graph"
    path.write_bytes(protos[job].SerializeToString())
    opened = subprocess.run(
        [sys.executable, "-c", _OPEN_ALL, str(path)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert int(opened.stdout) >= (5 if job != "search index" else 3)


_OPEN_ALL = """
import sys
from apache_beam.internal import pickler
from apache_beam.portability.api import beam_runner_api_pb2 as api

graph = api.Pipeline.FromString(open(sys.argv[1], "rb").read())
opened = 0
for transform in graph.components.transforms.values():
    if transform.spec.urn == "beam:transform:pardo:v1":
        payload = api.ParDoPayload.FromString(transform.spec.payload)
        pickler.loads(payload.do_fn.payload)
        opened += 1
print(opened)
"""
