"""A page of DiffEdit's masks and edits, beside those of others."""

from collections.abc import Callable, Sequence

import torch
from PIL import Image

from editing.parts import Parts
from editing.regions.contrast import ContrastRegions
from editing.regions.contrast_settings import ContrastSettings
from editing.regions.segmenter_spec import SEGMENTER
from editing.requests import Request
from pipelines.evaluation.cases import spread_evenly
from support.diffedit_rows import DEFAULT, FREE, MASKED, NOISED, PEER, USUAL, Cells
from support.edit_cells import MakeEdits, maker_of, seeded
from support.region_tasks import RegionTask
from transforms.pictures.contact_sheet import SheetEntry, draw_sheet

EDITS = {
    "diffedit": (DEFAULT, USUAL),
    "its thesis": ("diffedit, thesis", 0.8),
    "no encoding": (NOISED, 0.9),
    "no mask": (FREE, 0.7),
    "sdedit 0.2": ("sdedit", 0.2),
    "masked sdedit": (MASKED, 0.5),
}
"""Cells by the words over their pictures."""

Generators = Callable[[], list[torch.Generator]]


def draw_page(
    tasks: Sequence[RegionTask],
    cells: Cells,
    parts: Parts,
    *,
    seed: int,
    peer: MakeEdits | None,
    shown: int = 9,
) -> Image.Image:
    """Some of the tasks: the source, the truth, the map, masks, and edits by some cells."""
    places = spread_evenly(len(tasks), shown)
    some = [tasks[place] for place in places]
    requests = [task.request for task in some]

    def generators() -> list[torch.Generator]:
        return [seeded(seed, place) for place in places]

    columns = {
        "source": [task.image for task in some],
        "truth": [Image.fromarray(task.mask.numpy()).convert("L") for task in some],
        **_looked(requests, parts, generators),
    }
    makers = {name: maker_of(cells[row][value], parts) for name, (row, value) in EDITS.items()}
    if peer is not None:
        makers[PEER] = peer
    for name, make in makers.items():
        columns[name] = make(requests, generators())
    entries = [
        SheetEntry(
            tuple(pictures[n].convert("RGB") for pictures in columns.values()),
            (f"{task.source_phrase} -> {task.target_phrase}",),
        )
        for n, task in enumerate(some)
    ]
    return draw_sheet(entries, list(columns))


def _looked(
    requests: Sequence[Request], parts: Parts, generators: Generators
) -> dict[str, list[Image.Image]]:
    """Difference maps, the masks that are cut from them, and the segmenter's."""
    finder = ContrastRegions(parts.diffusion, ContrastSettings())
    maps = [
        Image.fromarray((each.values * 255).round().byte().numpy()).resize(request.image.size)
        for each, request in zip(finder.maps(requests, generators()), requests, strict=True)
    ]
    segmenter = SEGMENTER.load(parts, SEGMENTER.settings())
    return {
        "difference": maps,
        "mask": finder.find(requests, generators()),
        "segmenter": segmenter.find(requests, generators()),
    }
