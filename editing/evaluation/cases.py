"""Edits to be made and measured."""

from dataclasses import dataclass

from PIL import Image


@dataclass(frozen=True, kw_only=True)
class EditCase:
    """One edit to be made and measured.

    `edit_mask` is where the picture may change (L, bright inside), what SSIM and the background
    error are taken by; `source_phrase` names what is there, `target_phrase` what shall be.
    `target` is the real picture that stands for the result; it is compared with as a set (FID).
    """

    key: str
    source_key: str
    source: Image.Image
    target: Image.Image
    caption: str
    edit_prompt: str
    source_phrase: str
    target_phrase: str
    edit_mask: Image.Image
