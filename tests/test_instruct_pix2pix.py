"""diffusers' own training script of InstructPix2Pix, unchanged, on a data set of ours.

The script is no part of the diffusers package: `PAIRLOOM_INSTRUCT_PIX2PIX` names the file, or it is
fetched from GitHub. Without either the tests are skipped.
"""

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from importlib import metadata
from pathlib import Path

import pytest
from fakes.command_line import run

from transforms.package_data import find_package_data

SCRIPT = "PAIRLOOM_INSTRUCT_PIX2PIX"
ADDRESS = (
    "https://raw.githubusercontent.com/huggingface/diffusers/v{}/examples/instruct_pix2pix/"
    "train_instruct_pix2pix.py"
)
STEPS = 3

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def script(tmp_path_factory):
    """The file of the script."""
    named = os.environ.get(SCRIPT)
    if named:
        return Path(named)
    path = tmp_path_factory.mktemp("script") / "train_instruct_pix2pix.py"
    address = ADDRESS.format(metadata.version("diffusers"))
    try:
        with urllib.request.urlopen(address, timeout=10) as answer:
            path.write_bytes(answer.read())
    except (urllib.error.URLError, OSError) as error:
        pytest.skip(f"the script cannot be fetched ({error}): {SCRIPT} may name its file")
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The pairs of a small build."""
    root = tmp_path_factory.mktemp("pix2pix")
    (root / "source.yaml").write_text("{kind: still-life, count: 60, seed: 0, told: true}\n")
    told = ("--captions", "source")
    for words in (
        ("index", root / "source.yaml", *told, "--out", root / "index"),
        ("build", root / "source.yaml", *told, "--index", root / "index", "--out", root / "pairs"),
    ):
        outcome = run(*words)
        assert outcome.code == 0, outcome.err
    return root / "pairs"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """The still life's diffusion model."""
    return find_package_data("stilllife", "weights/diffusion")


def train(script, model, dataset, out, *flags):
    """Runs the script for a few steps; what it said, and its losses."""
    words = (
        *("--pretrained_model_name_or_path", model, "--dataset_name", dataset),
        *("--resolution", 64, "--train_batch_size", 2, "--max_train_steps", STEPS),
        *("--seed", 0, "--output_dir", out, "--cache_dir", out.parent / "cache"),
        *("--conditioning_dropout_prob", 0.05, "--lr_warmup_steps", 0),
    )
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "HF_HUB_OFFLINE": "1",
        "ACCELERATE_USE_CPU": "true",
    }
    done = subprocess.run(
        [sys.executable, str(script), *map(str, (*words, *flags))],
        capture_output=True,
        text=True,
        env=environment,
        timeout=500,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stderr


@pytest.mark.parametrize(
    "flags",
    [(), ("--edit_prompt_column", "edit_instruction")],
    ids=["edit_prompt", "edit_instruction"],
)
def test_the_script_runs_on_either_column(script, model, folder, tmp_path, flags):
    said = train(script, model, folder, tmp_path / "out", *flags)
    assert "Num examples = " in said
    index = json.loads((tmp_path / "out" / "model_index.json").read_text())
    assert index["_class_name"] == "StableDiffusionInstructPix2PixPipeline"
    unet = json.loads((tmp_path / "out" / "unet" / "config.json").read_text())
    before = json.loads((model / "unet" / "config.json").read_text())
    assert unet["in_channels"] == 2 * before["in_channels"]


def test_the_script_runs_on_an_export(script, model, folder, tmp_path):
    outcome = run("export", folder, "--format", "instruct-pix2pix", "--out", tmp_path / "triples")
    assert outcome.code == 0, outcome.err
    assert "Num examples = " in train(script, model, tmp_path / "triples", tmp_path / "out")
