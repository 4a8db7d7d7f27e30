"""Edits to be measured, of pictures of noise."""

from PIL import Image

from editing.evaluation.cases import EditCase
from fakes.editors import half_mask
from fakes.pictures import noise


def edit_case(
    number: int = 0, *, size: tuple[int, int] = (24, 24), edit_mask: Image.Image | None = None
) -> EditCase:
    """A case whose left half may change."""
    return EditCase(
        key=f"case-{number}",
        source_key=f"source-{number}",
        source=noise(number, size),
        target=noise(number + 1000, size),
        caption="a red apple",
        edit_prompt="a red pear",
        source_phrase="apple",
        target_phrase="pear",
        edit_mask=edit_mask or half_mask(size),
    )
