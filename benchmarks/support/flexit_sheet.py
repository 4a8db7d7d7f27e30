"""Pages of FlexIT's edits: beside those of others, and those that fool CLIP."""

from collections.abc import Mapping, Sequence

from PIL import Image

from pipelines.evaluation.cases import spread_evenly
from stilllife.judge import Judge
from support.flexit_measures import read_judgement
from support.flexit_rows import DEFAULT, MASKED, SDEDIT, THESIS
from support.flexit_targets import Cell, Rows
from support.region_tasks import RegionTask
from transforms.pictures.contact_sheet import SheetEntry, Words, draw_sheet

WRONG, RIGHT = (180, 40, 40), (44, 120, 70)

SHOWN = {
    "thesis": (THESIS, None),
    "in a region": ("flexit, thesis in a region", None),
    "no prior": ("flexit, no prior", None),
    "flexit": (DEFAULT, None),
    "sdedit 0.2": (SDEDIT, 0.2),
    "masked sdedit": (MASKED, 0.5),
}
"""Cells by the words over their pictures; None for the only one of a row. Others are left out."""


def draw_page(
    tasks: Sequence[RegionTask], rows: Rows, judge: Judge, *, shown: int = 10
) -> Image.Image:
    """Some of the tasks: the source and edits by some cells, with what is wrong with each."""
    cells = {name: _cell(rows[row], at) for name, (row, at) in SHOWN.items() if row in rows}
    entries = []
    for place in spread_evenly(len(tasks), shown):
        task = tasks[place]
        images = {name: kept.images[place] for name, (kept, _) in cells.items()}
        verdicts = [
            Words(f"   {name}", RIGHT if all(_read(judge, image, task).values()) else WRONG)
            for name, image in images.items()
        ]
        asked = Words(f"{task.source_phrase} -> {task.target_phrase}")
        entries.append(SheetEntry((task.image, *images.values()), ((asked, *verdicts),)))
    return draw_sheet(entries, ("source", *images))


def draw_fooled(
    tasks: Sequence[RegionTask], rows: Rows, judge: Judge, *, shown: int = 8
) -> Image.Image:
    """Edits in which CLIP sees what was asked for, and the judge does not: two rows side by side.

    Each stands beside its source, with what the judge finds wrong.
    """
    columns = {}
    for side, row in (("left", THESIS), ("right", DEFAULT)):
        kept, found = _cell(rows[row], None)
        places = [place for place, fooled in enumerate(found.fooled) if fooled]
        some = [places[n] for n in spread_evenly(len(places), min(shown, len(places)))]
        columns[side] = [(tasks[place], kept.images[place]) for place in some]
    entries = []
    for number in range(max(1, *map(len, columns.values()))):  # where none is fooled, an empty page
        pictures: list[Image.Image | None] = []
        words: list[str] = []
        for side, column in columns.items():
            if number >= len(column):
                pictures += [None, None]
                continue
            task, image = column[number]
            pictures += [task.image, image]
            asked = f"{task.source_phrase} -> {task.target_phrase}"
            words.append(f"{side}: {asked}; wrong: {_list_wrong(_read(judge, image, task))}")
        entries.append(SheetEntry(tuple(pictures), tuple(words)))
    return draw_sheet(entries, ("source", "thesis's form", "source", "default"))


def _list_wrong(attributes: Mapping[str, bool]) -> str:
    """The attributes that are wrong; of more than three, two and how many more, to fit a line."""
    wrong = [name for name, right in attributes.items() if not right]
    if len(wrong) > 3:
        wrong[2:] = [f"{len(wrong) - 2} more"]
    return ", ".join(wrong)


def _cell(cells: Mapping[float, Cell], at: float | None) -> Cell:
    return next(iter(cells.values())) if at is None else cells[at]


def _read(judge: Judge, image: Image.Image, task: RegionTask) -> Mapping[str, bool]:
    return read_judgement(judge, image, task)
