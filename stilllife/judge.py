"""The judge: a small CNN that reads attributes off a picture, for measuring only.

No pipeline stage uses it. Where the truth of a picture is not known because a model made it, the
judge stands in for the truth; its own held-out accuracy is on the model card.
"""

import json
from importlib.resources import files
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from stilllife.fields import FIELDS

WIDTHS = (32, 64, 96, 96)


class Judge(nn.Module):
    """Four strided convolution blocks and one linear head per attribute of `fields.FIELDS`."""

    num_features = WIDTHS[-1] * 16

    def __init__(self) -> None:
        super().__init__()
        blocks: list[nn.Module] = []
        before = 3
        for width in WIDTHS:
            blocks += [
                nn.Conv2d(before, width, 3, stride=2, padding=1, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(),
                nn.Conv2d(width, width, 3, padding=1, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(),
            ]
            before = width
        self.body = nn.Sequential(*blocks, nn.Flatten())
        self.heads = nn.ModuleDict(
            {
                name.replace(".", "_"): nn.Linear(self.num_features, len(values))
                for name, values in FIELDS.items()
            }
        )

    def forward(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        """Logits by attribute name, (n, values), for images (n, 3, 64, 64) in [-1, 1]."""
        features = self.body(images)
        return {name: self.heads[name.replace(".", "_")](features) for name in FIELDS}

    @torch.inference_mode()
    def read(self, images: torch.Tensor) -> list[dict[str, str]]:
        """The attributes of each picture, as `Scene.attributes` names them."""
        found = {name: logits.argmax(-1).tolist() for name, logits in self(images).items()}
        readings = []
        for row in range(len(images)):
            two = FIELDS["count"][found["count"][row]] == "2"
            skipped = "side" if two else "second."
            readings.append(
                {
                    name: values[found[name][row]]
                    for name, values in FIELDS.items()
                    if not name.startswith(skipped)
                }
            )
        return readings

    def save(self, folder: Path) -> None:
        """Writes fp16 safetensors and a short config into `folder`."""
        folder.mkdir(parents=True, exist_ok=True)
        state = {
            name: value.half() if value.is_floating_point() else value
            for name, value in self.state_dict().items()
        }
        save_file(state, str(folder / "model.safetensors"))
        config = {"model_type": "stilllife-judge", "widths": WIDTHS, "fields": FIELDS}
        (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def load_judge(folder: Path | None = None) -> Judge:
    """The trained judge in float32 and evaluation mode, from `folder` or as shipped."""
    path = folder or Path(str(files("stilllife") / "weights" / "judge"))
    state = load_file(str(path / "model.safetensors"))
    judge = Judge()
    judge.load_state_dict(
        {name: v.float() if v.is_floating_point() else v for name, v in state.items()}
    )
    return judge.eval()
