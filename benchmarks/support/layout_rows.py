"""The rows of the table of layouts, and the pictures of each, kept so that a run can go on."""

import hashlib
import io
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from editing.loading import EditorChoice, LoadedEditor
from pipelines.terminal.console import show_progress
from support.layout_maps import MapTask
from transforms.dataset.files import write_bytes

DEFAULT = "measured (default)"
NONE = "no guidance"
PAINT = "paint-with-words, w = 1"
THESIS = "thesis"
THESIS_PAINT = "thesis + paint-with-words, w = 0.3"
REAL = "real pictures"
SHOWN_AS = {DEFAULT: "default", PAINT: "painted", THESIS_PAINT: "thesis, painted"}
"""Names of rows that are short enough to stand over a picture."""

_TWENTY = {"ways": "thesis", "num_inference_steps": 20}

ROWS: dict[str, dict[str, Any]] = {
    NONE: {"eta": 0.0},
    PAINT: {"eta": 0.0, "paint": 1.0},
    THESIS: {"ways": "thesis"},
    THESIS_PAINT: {"ways": "thesis", "paint": 0.3},
    "ladder: thesis in 20 steps": _TWENTY,
    "ladder: finest maps alone": {**_TWENTY, "layers": "2"},
    "ladder: last phrase read from the end": {**_TWENTY, "layers": "2", "tokens": "end"},
    "ladder: plain cross-entropy": {
        **_TWENTY,
        "layers": "2",
        "tokens": "end",
        "weight_normalised": 0.0,
    },
    DEFAULT: {},
    "default, phrase tokens": {"tokens": "phrase"},
    "default, all layers": {"layers": "all"},
    "default + paint-with-words, w = 0.1": {"paint": 0.1},
    "mirrored picture at 0.9": {"strength": 0.9},
    "mirrored picture at 0.9, noised": {"strength": 0.9, "encode": False},
    "mirrored picture at 0.9, no guidance": {"strength": 0.9, "eta": 0.0},
    "mirrored picture at 0.7": {"strength": 0.7},
}
"""Settings of `zestguide` by the row's name; the ladder goes from the thesis to the default.

With a strength below 1 the picture that is given, and edited, is the real one mirrored.
"""

AT_ONCE = 20


@dataclass(frozen=True, eq=False)
class MadeRow:
    """The pictures of a row, and seconds of one core's CPU for each."""

    pictures: list[Image.Image]
    seconds: float


def make_row(
    folder: Path,
    tasks: Sequence[MapTask],
    choice: EditorChoice,
    editor: LoadedEditor,
    *,
    name: str,
    values: dict[str, Any],
    seed: int,
) -> MadeRow:
    """The pictures of all tasks with settings `values`, from `folder` where they were made before.

    Every map has noise of its own, the same in every row.
    """
    settings = editor.spec.settings(**values)
    facts = [choice.describe(settings), repr(settings.chosen()), repr(settings), seed, len(tasks)]
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:12]
    place = folder / digest
    place.mkdir(parents=True, exist_ok=True)
    pictures: list[Image.Image] = []
    seconds = 0.0
    with show_progress(name, len(tasks), unit="maps") as advance:
        for start in range(0, len(tasks), AT_ONCE):
            path = place / f"{start:05d}.npz"
            some = tasks[start : start + AT_ONCE]
            if not path.exists():
                _make(path, some, editor, settings, seed=seed, start=start)
            with np.load(path) as kept:
                pictures += map(Image.fromarray, kept["pictures"])
                seconds += float(kept["seconds"])
            advance(len(some))
    return MadeRow(pictures, seconds / len(tasks))


def _make(
    path: Path,
    tasks: Sequence[MapTask],
    editor: LoadedEditor,
    settings: Any,
    *,
    seed: int,
    start: int,
) -> None:
    generators = [
        torch.Generator().manual_seed(1_000_000 * seed + start + place)
        for place in range(len(tasks))
    ]
    requests = [task.request if settings.strength == 1 else task.mirrored_request for task in tasks]
    began = time.process_time()
    outputs = editor.edit(requests, settings, generators)
    seconds = time.process_time() - began
    made = np.stack([np.asarray(output.image) for output in outputs])
    buffer = io.BytesIO()
    np.savez(buffer, pictures=made, seconds=seconds)
    write_bytes(path, buffer.getvalue())
