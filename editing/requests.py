"""What is asked of an editor, and what it answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from PIL import Image

from editing.errors import EditingError
from editing.regions.segmented import changed_words

ItemT = TypeVar("ItemT")


class EditError(EditingError, ValueError):
    """An edit that cannot be made, in one line that names the value and the rule."""


@dataclass(frozen=True)
class Edit:
    """One result: the picture, and how well it goes with its prompt (cosine by CLIP, or None)."""

    image: Image.Image
    score: float | None = None


@dataclass(frozen=True)
class EditOutput:
    """The results for one source, best first, and the mask that was used (L, 255 = may change)."""

    edits: tuple[Edit, ...]
    edit_mask: Image.Image | None = None

    @property
    def image(self) -> Image.Image:
        """The best result."""
        return self.edits[0].image


@dataclass(frozen=True, kw_only=True)
class Request:
    """One edit that is asked for.

    `image` is RGB; `edit_mask` single-channel and of its size, bright where it may change; None for
    the method's own. `mask_phrase` says in words what may change; else it is what `source_prompt`
    has and `prompt` has not.
    """

    image: Image.Image
    prompt: str
    source_prompt: str | None = None
    edit_mask: Image.Image | None = None
    mask_phrase: str | None = None

    def __post_init__(self) -> None:
        if self.image.mode != "RGB":
            raise EditError(f"a picture must be RGB, got {self.image.mode}")
        if not self.prompt.strip():
            raise EditError("prompt must not be empty")
        if self.edit_mask is not None and self.edit_mask.size != self.image.size:
            raise EditError(
                f"edit_mask must have the picture's size {_by(self.image.size)}, "
                f"got {_by(self.edit_mask.size)}"
            )

    def phrase(self) -> str:
        """What may change, in words.

        Raises:
            EditError: nothing says so.
        """
        if self.mask_phrase:
            return self.mask_phrase
        words = changed_words(self.source_prompt, self.prompt) if self.source_prompt else ""
        if not words:
            raise EditError(
                "a mask needs edit_mask, mask_phrase, or a source_prompt that differs from prompt"
            )
        return words


def _by(size: tuple[int, int]) -> str:
    return f"{size[0]} x {size[1]}"


def zip_requests(
    images: Sequence[Image.Image],
    prompts: str | Sequence[str],
    source_prompts: str | Sequence[str] | None = None,
    edit_masks: Image.Image | Sequence[Image.Image] | None = None,
) -> list[Request]:
    """A request for each picture; what is not given as a list holds for all of them.

    Raises:
        EditError: a list of another length, or a request that breaks a rule.
    """
    count = len(images)
    some_prompts = [prompts] * count if isinstance(prompts, str) else list(prompts)
    some_sources = (
        [source_prompts] * count
        if source_prompts is None or isinstance(source_prompts, str)
        else list(source_prompts)
    )
    some_masks = (
        [edit_masks] * count
        if edit_masks is None or isinstance(edit_masks, Image.Image)
        else list(edit_masks)
    )
    _check_length("prompt", some_prompts, count)
    _check_length("source_prompt", some_sources, count)
    _check_length("edit_mask", some_masks, count)
    return [
        Request(image=image, prompt=prompt, source_prompt=source_prompt, edit_mask=edit_mask)
        for image, prompt, source_prompt, edit_mask in zip(
            images, some_prompts, some_sources, some_masks, strict=True
        )
    ]


def _check_length(name: str, values: Sequence[ItemT], count: int) -> None:
    if len(values) != count:
        raise EditError(f"{name} must be one or {count} of them, got {len(values)}")
