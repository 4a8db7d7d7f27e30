"""What paints in a box, by the names that a person types. Imports no network library."""

from typing import Literal

Backend = Literal["sdedit", "inpaint", "masked-token"]

BACKENDS: dict[str, str] = {
    "sdedit": "masked_sdedit",
    "inpaint": "inpainting",
    "masked-token": "masked_token",
}
"""Which part of a preset each backend is: a key of `editing.parts.PART_LOADERS`."""
