"""What is asked of an editor, and what it answers."""

import difflib
from collections.abc import Callable
from dataclasses import dataclass, field

from PIL import Image

from editing.errors import EditError
from editing.layouts import Layout
from editing.remarks import Remark
from editing.settings import shorten

OnStep = Callable[[], None]
"""Called after every step of a long edit, to show how far it is."""

Explain = Callable[[Image.Image], Image.Image]
"""Draws how an edit came about, with the result that it is given, as a picture."""


@dataclass(frozen=True)
class Edit:
    """One result: the picture, and how well it goes with its prompt (cosine by CLIP, or None).

    A picture that was found and not made has its `key` in the index where it was found, and the
    score of the query that found it.
    """

    image: Image.Image
    score: float | None = None
    key: str | None = None


@dataclass(frozen=True)
class EditOutput:
    """The results for one source, best first, and the mask that was used (L, 255 = may change).

    `remarks` are what a person should know of, such as a mask that marks nothing. `explain` draws
    how the editor came to a result, where it can tell.
    """

    edits: tuple[Edit, ...]
    edit_mask: Image.Image | None = None
    remarks: tuple[Remark, ...] = ()
    explain: Explain | None = field(default=None, compare=False, repr=False)

    @property
    def image(self) -> Image.Image:
        """The best result."""
        return self.edits[0].image


@dataclass(frozen=True, kw_only=True)
class Request:
    """One edit that is asked for.

    `image` is RGB, `prompt` what the edited picture shows. The rest may be missing:

    | field | what it is |
    |---|---|
    | `source_prompt` | what `image` shows, in words |
    | `edit_mask` | single-channel, of the picture's size, bright where it may change |
    | `mask_phrase` | what may change, in words; for region finders |
    | `pseudo_target_image` | a real picture that stands for the result, RGB |
    | `layout` | what shall stand where, of the picture's size |
    | `results` | how many, best first, of an editor that ranks them itself; others give one |

    Raises:
        EditError: a picture that is not RGB, no prompt, words that are no text, a mask or layout
            of another size, or no result that is wanted.
    """

    image: Image.Image
    prompt: str
    source_prompt: str | None = None
    edit_mask: Image.Image | None = None
    mask_phrase: str | None = None
    pseudo_target_image: Image.Image | None = None
    layout: Layout | None = None
    results: int = 1

    def __post_init__(self) -> None:
        if self.results < 1:
            raise EditError(f"results must be at least 1, got {self.results}")
        for image in filter(None, (self.image, self.pseudo_target_image)):
            if image.mode != "RGB":
                raise EditError(f"a picture must be RGB, got {image.mode}")
        if not self.prompt.strip():
            raise EditError("prompt must not be empty")
        for name in ("prompt", "source_prompt", "mask_phrase"):
            _check_text(name, getattr(self, name))
        if self.edit_mask is not None and self.edit_mask.size != self.image.size:
            raise EditError(
                f"edit_mask must have the picture's size {_by(self.image.size)}, "
                f"got {_by(self.edit_mask.size)}"
            )
        if self.layout is not None and self.layout.size != self.image.size:
            raise EditError(
                f"layout must have the picture's size {_by(self.image.size)}, "
                f"got {_by(self.layout.size)}"
            )

    def phrase(self) -> str:
        """What may change, in words: `mask_phrase`, or what `prompt` exchanges of `source_prompt`.

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


@dataclass(frozen=True)
class ChangedSpan:
    """One place where a prompt differs from what the source shows: words before, words after.

    `prompt` is the source's prompt with this place and those before it exchanged.
    """

    before: str
    after: str
    prompt: str


def changed_spans(source_prompt: str, prompt: str) -> tuple[ChangedSpan, ...]:
    """Every place where `prompt` differs, from left to right, with what lies between unchanged."""
    before, after = source_prompt.split(), prompt.split()
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    spans: list[ChangedSpan] = []
    for kind, start, stop, start_after, stop_after in matcher.get_opcodes():
        if kind != "equal":
            so_far = [*after[:stop_after], *before[stop:]]
            words = " ".join(before[start:stop]), " ".join(after[start_after:stop_after])
            spans.append(ChangedSpan(*words, " ".join(so_far)))
    return tuple(spans)


def changed_words(source_prompt: str, prompt: str) -> str:
    """The words of `source_prompt` that `prompt` has exchanged or left out, empty if none.

    What stands before the first and after the last difference is common to both.
    """
    before, after = source_prompt.split(), prompt.split()
    head = 0
    while head < min(len(before), len(after)) and before[head] == after[head]:
        head += 1
    tail = 0
    while tail < min(len(before), len(after)) - head and before[-1 - tail] == after[-1 - tail]:
        tail += 1
    return " ".join(before[head : len(before) - tail])


def _check_text(name: str, text: str | None) -> None:
    """Halves of characters, as bytes that are not UTF-8 come from a command line, are no text."""
    try:
        (text or "").encode()
    except UnicodeEncodeError as error:
        raise EditError(f"{name} must be text in UTF-8, got {shorten(text or '')}") from error


def _by(size: tuple[int, int]) -> str:
    return f"{size[0]} x {size[1]}"
