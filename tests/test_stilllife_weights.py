"""What is shipped as weights: half precision, safetensors alone, and small."""

from pathlib import Path

import torch
from safetensors import safe_open

WEIGHTS = Path(__file__).parent.parent / "stilllife" / "weights"
MOST_BYTES = 40_000_000


def weight_files():
    return sorted(WEIGHTS.rglob("*.safetensors"))


def test_all_weights_together_are_small():
    assert 0 < sum(path.stat().st_size for path in weight_files()) <= MOST_BYTES


def test_they_are_of_half_precision():
    wide = []
    for path in weight_files():
        with safe_open(str(path), framework="pt") as file:
            for name in file.keys():  # noqa: SIM118
                if file.get_tensor(name).dtype == torch.float32:
                    wide.append(f"{path.relative_to(WEIGHTS)}: {name}")
    assert wide == []


def test_nothing_else_holds_weights():
    others = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.npz", "*.pkl")
    assert [path for pattern in others for path in WEIGHTS.rglob(pattern)] == []
