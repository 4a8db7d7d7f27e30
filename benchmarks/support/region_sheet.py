"""A page of edits by the learned-region editor: what each loss brings, and what fails."""

from collections.abc import Mapping, Sequence

from PIL import Image

from editing.pictures import tensor_to_picture
from support.region_bank import Row
from support.region_rules import BOXES, DEFAULT, ORACLE, Kept, which_fail
from support.region_tasks import RegionTask
from transforms.pictures.contact_sheet import SheetEntry, Words, draw_sheet

LEFT_OUT = ("without L_Clip", "without L_Str", "without L_Dir")
RULES = (DEFAULT, *LEFT_OUT, "largest S of all", ORACLE)
SHOWN, FAILED = 8, 6
WRONG = (180, 40, 40)


def draw_page(
    tasks: Sequence[RegionTask], rows: Sequence[Row], kept: Mapping[str, Kept]
) -> Image.Image:
    """Tasks spread over all, and the first of those that fail, by the rules of figure 8."""
    step = max(1, len(tasks) // SHOWN)
    spread = list(range(0, len(tasks), step))[:SHOWN]
    failed = [number for number in which_fail(kept[DEFAULT]) if number not in spread][:FAILED]
    entries = [_entry(tasks[n], rows[n], kept, n) for n in (*spread, *failed)]
    return draw_sheet(entries, ("source", *RULES))


def _entry(task: RegionTask, row: Row, kept: Mapping[str, Kept], number: int) -> SheetEntry:
    pictures: list[Image.Image | None] = [task.image]
    for rule in RULES:
        group, place = kept[rule].picks[number]
        assert group == BOXES, "these rules choose among boxes"
        pictures.append(tensor_to_picture(row["edits"][place].float() / 127.5 - 1))
    right = bool(kept[DEFAULT].numbers["both"][number])
    words: tuple[Words, ...] = (Words(f"{task.source_phrase} -> {task.target_phrase}"),)
    if not right:
        words += (Words("   wrong", WRONG),)
    return SheetEntry(tuple(pictures), (words,))
