"""The published sizes: each network built, saved as published, loaded through a preset, and run."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PARAMETERS = {
    # The word table serves input and output; counted twice it would be 247 414 076.
    "blip": 223_971_644,
    "clip": 427_616_513,
    "open_clip": 427_616_513,
    "clipseg": 150_747_746,
}
PICTURES = 2
IN_THE_GATE = "clipseg"
"""The smallest; the others are looked at by `make full-size-test`."""


def marked(part):
    mark = pytest.mark.full_size if part == IN_THE_GATE else pytest.mark.full_size_long
    return pytest.param(part, marks=mark)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("part", [marked(part) for part in PARAMETERS])
def test_full_size(part):
    out = subprocess.run(
        [
            sys.executable,
            str(ROOT / "benchmarks" / "full_size.py"),
            *("--pictures", str(PICTURES), "--batch-size", str(PICTURES)),
            *("--parts", part, "--json"),
        ],
        check=True,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
    )
    (measured,) = json.loads(out.stdout.splitlines()[-1])["figures"]["networks"]
    assert measured["parameters"] == PARAMETERS[part]
    assert measured["weights_mib"] == pytest.approx(4 * PARAMETERS[part] / 2**20, rel=0.01)
    assert measured["peak_mib"] < 8 * 1024
    CHECKS[measured["stage"]](measured["outputs"])


def check_captions(outputs: list) -> None:
    assert len(outputs) == PICTURES
    assert all(text and 0 < confidence <= 1 for text, confidence in outputs)


def check_embeddings(outputs: list) -> None:
    assert len(outputs) == 3 * PICTURES
    assert all(length == 768 for length, _ in outputs)
    assert all(norm == pytest.approx(1, abs=1e-5) for _, norm in outputs)


def check_masks(outputs: list) -> None:
    sizes = [(width, height) for width, height, _ in outputs]
    assert sizes == [(640, 480), (375, 500), (375, 500), (640, 480)]
    assert all(0 <= area <= 1 for _, _, area in outputs)


CHECKS = {"caption": check_captions, "embed": check_embeddings, "segment": check_masks}
