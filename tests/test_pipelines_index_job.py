import dataclasses
import json
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from fakes.folders import hashes
from fakes.still_life import POOL, InterruptedSource, plan_index, plan_pairs

from indexes.folder import open_index
from indexes.layout import IndexFolderError, fingerprint
from indexes.life_cycle import begin_index
from pipelines.index.job import index_job, run_index
from pipelines.running.execution import Execution
from pipelines.running.sharded_job import run_unit
from pipelines.running.sharing import ShardUnit
from transforms.embed import embed_images_batch
from transforms.models.loading import load_encoder
from transforms.models.spec import ModelSpec
from transforms.presets import PIPELINE_PARTS, place_preset
from transforms.read import read_batches
from transforms.scores import as_vector
from transforms.sources.folder import FolderSource

# The graphs run by FnApiRunner, which `run_index` names itself.

ROOT = Path(__file__).parent.parent


def test_every_picture_is_in_it(told_index):
    folder, summary = told_index
    index = open_index(folder)
    assert summary.sources == summary.indexed == len(index) == 600
    assert (summary.rejects, summary.parts, summary.parts_skipped) == ({}, 3, 0)
    first = next(POOL.read(POOL.shards()[1]))
    row = index.find(first.key)
    assert row == 200
    assert index.row(row).caption == first.alt_text
    assert index.row(row).content_sha256 == first.content_sha256


def test_it_equals_a_plain_loop(told_index, tiny_preset):
    index = open_index(told_index[0])
    batch = next(read_batches(POOL, POOL.shards()[2], 16))
    alone = embed_images_batch(batch, load_encoder(tiny_preset.encoder))
    for record in alone.records:
        row = index.find(record.source.key)
        np.testing.assert_array_equal(index.embedding(row), as_vector(record.embedding))
        assert index.structure(row).tobytes() == record.structure


def test_a_finished_index_is_left_alone(told_index, tiny_preset):
    folder, first = told_index
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    again = run_index(plan_index(tiny_preset, folder), Execution())
    assert (again.parts_skipped, again.sources) == (3, first.sources)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_another_memory_makes_the_search_index_anew_and_no_part(told_index, tiny_preset, tmp_path):
    folder = tmp_path / "index"
    shutil.copytree(told_index[0], folder)
    parts = {path: path.stat().st_mtime_ns for path in folder.glob("*/*_*")}
    assert len(parts) == 12
    plan = dataclasses.replace(plan_index(tiny_preset, folder), index_memory_gib=2.5)
    assert run_index(plan, Execution()).parts_skipped == 3
    assert {path: path.stat().st_mtime_ns for path in folder.glob("*/*_*")} == parts
    assert open_index(folder).description["index_memory_gib"] == 2.5
    finished = (folder / "COMPLETED").stat().st_mtime_ns
    assert run_index(plan, Execution()).parts_skipped == 3
    assert (folder / "COMPLETED").stat().st_mtime_ns == finished
    with pytest.raises(ValueError, match="index_memory_gib must be above 0, got 0"):
        dataclasses.replace(plan, index_memory_gib=0)


def test_an_interrupted_index_goes_on(tiny_preset, told_index, tmp_path):
    plan = plan_index(tiny_preset, tmp_path / "i")
    source = InterruptedSource(POOL, position=300)  # in the second of three shards
    with pytest.raises(KeyboardInterrupt):
        run_index(dataclasses.replace(plan, source=source), Execution(pictures_a_unit=1))
    with pytest.raises(IndexFolderError):
        open_index(plan.folder)
    assert run_index(plan, Execution()).parts_skipped == 1
    assert hashes(plan.folder) == hashes(told_index[0])


KILLED = """
    import os, signal, sys
    sys.path.insert(0, "tests")
    from fakes.still_life import plan_index
    from pipelines.running.execution import Execution
    from pipelines.index.job import run_index
    from transforms.presets import load_preset

    replace = os.replace

    def killed_in_the_second_part(source, target):
        if str(target).endswith("structure_00001.npy"):
            os.kill(os.getpid(), signal.SIGKILL)
        replace(source, target)

    preset, out = sys.argv[1:]
    os.replace = killed_in_the_second_part
    run_index(plan_index(load_preset(preset), out), Execution(pictures_a_unit=1))
"""


@pytest.mark.slow
def test_a_killed_index_leaves_nothing_that_looks_finished(tiny_preset, told_index, tmp_path):
    parts = {name: spec.describe() for name, spec in tiny_preset.parts.items()}
    # The description names the preset, which is named for its file.
    path = tmp_path / f"{tiny_preset.name}.yaml"
    path.write_text(str(parts).replace("None", "null"))
    out = tmp_path / "out"
    ended = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(KILLED), str(path), str(out)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ended.returncode == -9, ended.stderr
    assert not (out / "COMPLETED").exists()
    with pytest.raises(IndexFolderError):
        open_index(out)
    assert run_index(plan_index(tiny_preset, out), Execution()).parts_skipped == 1
    assert hashes(out) == hashes(told_index[0])


@pytest.mark.slow
def test_two_workers_write_the_same_bytes(tiny_preset, told_index, tmp_path):
    folder = tmp_path / "i"
    run_index(plan_index(tiny_preset, folder), Execution(workers=2, pictures_a_unit=1))
    assert hashes(folder) == hashes(told_index[0])


def test_the_order_and_the_grouping_of_shards_change_nothing(tiny_preset, told_index, tmp_path):
    plan = plan_index(tiny_preset, tmp_path / "i")
    job = index_job(plan, fingerprint(plan.description()))
    first, second, third = job.shards
    # Begins the folder as a run does that is interrupted at once.
    begin_index(Path(plan.folder), plan.description())
    run_unit(ShardUnit((third,), pictures=200), job.graph)
    run_unit(ShardUnit((second, first), pictures=400), job.graph)
    assert run_index(plan, Execution()).parts_skipped == 3
    assert hashes(plan.folder) == hashes(told_index[0])


def test_another_configuration_is_refused(tiny_preset, told_index):
    with pytest.raises(IndexFolderError, match="another batch_size"):
        run_index(plan_index(tiny_preset, told_index[0], batch_size=8), Execution())
    with pytest.raises(IndexFolderError, match="another captioner"):
        run_index(plan_index(tiny_preset, told_index[0], captions="model"), Execution())


def test_another_precision_is_told_and_never_mixed(tiny_preset, told_index, tmp_path):
    half = place_preset(tiny_preset, device="cpu", dtype="bfloat16")
    with pytest.raises(IndexFolderError, match="another computed_on"):
        run_index(plan_index(half, told_index[0]), Execution())
    folders = [tmp_path / name for name in ("one", "two")]
    source = dataclasses.replace(POOL, count=40, shard_size=20)
    for folder, workers in zip(folders, (1, 2), strict=True):
        plan = plan_index(half, folder, source=source)
        run_index(plan, Execution(workers=workers, pictures_a_unit=1))
    assert hashes(folders[0]) == hashes(folders[1])
    index = open_index(folders[0])
    assert index.description["computed_on"] == {"encoder": {"device": "cpu", "dtype": "bfloat16"}}
    plain = open_index(told_index[0])
    assert "computed_on" not in plain.description
    assert index.description["encoder"] == plain.description["encoder"]
    cosine = (index.embedding(3) * plain.embedding(3)).sum()
    assert 0.99 < cosine < 1
    pairs = plan_pairs(half, folders[0], tmp_path / "pairs").configuration
    assert pairs["index"]["computed_on"] == index.description["computed_on"]
    assert set(pairs["computed_on"]) == set(PIPELINE_PARTS)


def test_a_build_with_another_encoder_is_refused(tiny_preset, told_index, tmp_path):
    place = Path(tiny_preset.encoder.location)
    other = tmp_path / "clip"
    other.mkdir()
    for path in place.iterdir():
        (other / path.name).write_bytes(path.read_bytes())
    weights = (other / "model.safetensors").read_bytes()
    (other / "model.safetensors").write_bytes(weights[:-1] + bytes([weights[-1] ^ 1]))
    encoder = ModelSpec(loader="clip", location=str(other))
    changed = dataclasses.replace(tiny_preset, parts={**tiny_preset.parts, "encoder": encoder})
    with pytest.raises(IndexFolderError, match="was made with the encoder"):
        plan_pairs(changed, told_index[0], tmp_path / "out")


def test_bad_pictures_are_rejects_and_the_others_are_indexed(tiny_preset, tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    for number, image in enumerate(POOL.read(POOL.shards()[0])):
        if number == 3:
            break
        (photos / f"{number}.png").write_bytes(image.image)
        (photos / f"{number}.txt").write_text(image.alt_text)
    (photos / "2.txt").unlink()
    (photos / "broken.png").write_bytes(b"no picture")
    source = FolderSource(str(photos))
    summary = run_index(plan_index(tiny_preset, tmp_path / "i", source=source), Execution())
    assert (summary.sources, summary.indexed) == (4, 2)
    assert summary.rejects == {"caption: no_caption": 1, "read: not_an_image": 1}
    assert json.loads((tmp_path / "i" / "pairloom.json").read_text())["pictures"] == 2


def test_nothing_to_index_is_an_error_and_no_index(tiny_preset, tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "broken.png").write_bytes(b"no picture")
    plan = plan_index(tiny_preset, tmp_path / "i", source=FolderSource(str(photos)))
    with pytest.raises(IndexFolderError, match="no pictures"):
        run_index(plan, Execution())
    with pytest.raises(IndexFolderError):
        open_index(plan.folder)


def test_bad_captions(tiny_preset, tmp_path):
    with pytest.raises(ValueError, match="captions must be model or source, got 'mine'"):
        plan_index(tiny_preset, tmp_path, captions="mine")
