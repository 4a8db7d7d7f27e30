"""The real clip-retrieval and img2dataset, in an environment of their own (`make interop`)."""

import json
import os
import subprocess
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from fakes.model_folders import (
    clip_text_config,
    save_clip_tokenizer,
    save_picture_processor,
    vision_config,
)
from fakes.presets import save_preset_file

ROOT = Path(__file__).resolve().parents[2]
PEERS = Path(os.environ.get("PAIRLOOM_PEERS", ROOT / ".venv-interop")) / "bin"
ENVIRONMENT = {
    **os.environ,
    "HF_HUB_OFFLINE": "1",
    "NO_ALBUMENTATIONS_UPDATE": "1",
    "OMP_NUM_THREADS": "1",
}
MOST_S = 500
PEER_WORDS = 49_408
PEER_LENGTH = 77
"""The vocabulary and the length of text of CLIP's own tokenizer, which clip-retrieval uses."""


def run_peer(program, *words, cwd):
    """Runs a command of the peers' environment to its end."""
    if not (PEERS / program).exists():
        pytest.fail(f"{PEERS / program} is not there: `make interop` installs it")
    done = subprocess.run(
        [str(PEERS / program), *map(str, words)],
        cwd=cwd,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=MOST_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


@contextmanager
def clip_back(indices, *, model, cwd, port, columns=None):
    """The address of a running `clip-retrieval back` of `indices`, folders by name."""
    (cwd / "indices_paths.json").write_text(json.dumps(indices))
    words = [
        *("back", "--port", port, "--indices_paths", cwd / "indices_paths.json"),
        *("--clip_model", f"hf_clip:{model}", "--use_jit", "False"),
        *("--enable_mclip_option", "False", "--provide_aesthetic_embeddings", "False"),
    ]
    if columns is not None:
        words += ["--columns_to_return", json.dumps(columns)]
    url = f"http://127.0.0.1:{port}"
    with (cwd / "back.log").open("wb") as log:
        process = subprocess.Popen(
            [str(PEERS / "clip-retrieval"), *map(str, words)],
            cwd=cwd,
            env=ENVIRONMENT,
            stdout=log,
            stderr=log,
        )
        try:
            _wait_for(f"{url}/indices-list", process, cwd / "back.log")
            yield url
        finally:
            process.terminate()
            process.wait(30)


def _wait_for(url, process, log):
    end = time.monotonic() + MOST_S
    while time.monotonic() < end:
        assert process.poll() is None, log.read_text(errors="replace")[-2000:]
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                assert answer.status == 200
                return
        except OSError:
            time.sleep(0.5)
    pytest.fail(f"{url} does not answer: {log.read_text(errors='replace')[-2000:]}")


def save_shared_preset(folder):
    """The tiny preset, with a random CLIP that clip-retrieval can load as `hf_clip:FOLDER/clip`."""
    from transformers import CLIPConfig, CLIPModel

    path = save_preset_file(folder)
    vocab = save_clip_tokenizer(folder / "clip", length=PEER_LENGTH)
    text = clip_text_config(vocab)
    text |= {"vocab_size": PEER_WORDS, "max_position_embeddings": PEER_LENGTH}
    vision = vision_config(image_size=224, patch_size=32)
    torch.manual_seed(0)
    config = CLIPConfig(text_config=text, vision_config=vision, projection_dim=8)
    CLIPModel(config).save_pretrained(folder / "clip")
    save_picture_processor(folder / "clip", 224)
    return path
