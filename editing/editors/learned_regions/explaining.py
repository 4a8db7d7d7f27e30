"""How a box was found, as a picture: attention, anchors, proposals, and the edit of every box."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from editing.boxes.geometry import Box
from editing.boxes.proposals import Proposals
from editing.editors.learned_regions.choosing import Choice
from editing.editors.learned_regions.fitting import PaintedBoxes
from editing.editors.learned_regions.judging import Worth
from editing.pictures import resize, tensor_to_picture
from editing.tensors import PictureTensor
from transforms.pictures.contact_sheet import PAPER, SheetEntry, Words, draw_sheet, fill_tile

RGB = tuple[int, int, int]
KEPT: RGB = (214, 40, 40)
OTHER: RGB = (29, 105, 180)


@dataclass(frozen=True, eq=False, kw_only=True)
class Explanation:
    """What the search for one box saw and did.

    `picture` is the source as it was worked at, `phrase` T_ROI.
    """

    picture: PictureTensor
    prompt: str
    phrase: str
    proposals: Proposals
    painted: PaintedBoxes
    worth: Worth
    choice: Choice

    @property
    def worked(self) -> tuple[int, int]:
        """The size (width, height) that was worked at."""
        height, width = self.proposals.size
        return width, height

    @property
    def place(self) -> int:
        """Which of the different boxes is kept."""
        return int(self.painted.places[self.choice.anchor, self.choice.size])

    @property
    def box(self) -> Box:
        """The box that is kept."""
        return self.proposals.boxes[self.choice.anchor][self.choice.size]

    @property
    def edit(self) -> PictureTensor:
        """The edit in it."""
        return self.painted.edits[self.place]


def draw_explanation(found: Sequence[Explanation], result: Image.Image) -> Image.Image:
    """A sheet for each thing that was edited, one below the other, as figure 3 of the paper has it.

    Above, the source, the attention with its anchors, each anchor's likeliest box, and what came of
    it, in the end the result; below, a row an anchor, the edit of every size with its probability
    and its loss.
    """
    *between, last = found
    made = [*(tensor_to_picture(each.edit) for each in between), resize(result, last.worked)]
    sheets = [
        sheet
        for each, picture in zip(found, made, strict=True)
        for sheet in (_draw_road(each, picture), _draw_boxes(each))
    ]
    width = max(sheet.width for sheet in sheets)
    page = Image.new("RGB", (width, sum(sheet.height for sheet in sheets)), PAPER)
    top = 0
    for sheet in sheets:
        page.paste(sheet, (0, top))
        top += sheet.height
    return page


def _draw_road(found: Explanation, made: Image.Image) -> Image.Image:
    """From the source to what was made of it."""
    source = tensor_to_picture(found.picture)
    headings = ("source", "attention", "anchors", "each one's box", "result")
    likeliest = found.choice.probabilities.argmax(1).tolist()
    chosen = [row[size] for row, size in zip(found.proposals.boxes, likeliest, strict=True)]
    pictures = (
        fill_tile(source),
        _draw_attention(found),
        _draw_anchors(found, source),
        _outline(source, found.box, chosen),
        _outline(made, found.box, ()),
    )
    words = (Words(f"{found.phrase}  ->  "), Words(found.prompt, KEPT))
    return draw_sheet([SheetEntry(pictures, (words,))], headings)


def _draw_boxes(found: Explanation) -> Image.Image:
    """Every edit: a row an anchor, a column a size."""
    entries = []
    for anchor, row in enumerate(found.painted.places.tolist()):
        for size, place in enumerate(row):
            kept = (anchor, size) == (found.choice.anchor, found.choice.size)
            edit = tensor_to_picture(found.painted.edits[place])
            box = found.proposals.boxes[anchor][size]
            picture = _outline(edit, box if kept else None, () if kept else (box,))
            probability = float(found.choice.probabilities[anchor, size])
            line = (Words(f"p {probability:.2f}  loss {float(found.worth.loss[place]):.3f}"),)
            if kept:
                line = (Words(line[0].text, KEPT),)
            entries.append(SheetEntry((picture,), (line,)))
    return draw_sheet(entries, ("",), across=len(found.proposals.boxes[0]))


def _draw_attention(found: Explanation) -> Image.Image:
    values = found.proposals.attention.numpy().astype(np.float64)
    span = float(np.ptp(values)) or 1.0
    grey = Image.fromarray((255 * (values - values.min()) / span).astype(np.uint8))
    return fill_tile(grey.resize(found.worked, Image.Resampling.NEAREST))


def _draw_anchors(found: Explanation, source: Image.Image) -> Image.Image:
    shown = fill_tile(source)
    draw = ImageDraw.Draw(shown)
    size = (shown.height, shown.width)
    for number, anchor in enumerate(found.proposals.anchors):
        y, x = anchor.centre(grid=found.proposals.grid, size=size)
        colour = KEPT if number == found.choice.anchor else OTHER
        draw.ellipse([x - 4, y - 4, x + 4, y + 4], fill=colour, outline=(255, 255, 255))
    return shown


def _outline(picture: Image.Image, kept: Box | None, others: Sequence[Box]) -> Image.Image:
    shown = fill_tile(picture)
    draw = ImageDraw.Draw(shown)
    across, down = shown.width / picture.width, shown.height / picture.height
    boxes = [*((box, OTHER, 1) for box in others), *([(kept, KEPT, 3)] if kept else [])]
    for box, colour, width in boxes:
        corners = (
            box.left * across,
            box.top * down,
            box.right * across - 1,
            box.bottom * down - 1,
        )
        draw.rectangle(corners, outline=colour, width=width)
    return shown
