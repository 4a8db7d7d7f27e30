"""What an inpainter takes from the model it paints with, whichever that is."""

from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar, runtime_checkable

from editing.inpainting.inpainter import InpaintSettings


@runtime_checkable
class SizedModel(Protocol):
    """A model that knows its pictures' sizes and how long its prompts may be."""

    @property
    def picture_size(self) -> int:
        """Side of the pictures that it was trained on, in pixels."""
        ...

    @property
    def size_multiple(self) -> int:
        """Sides of pictures must be multiples of this, in pixels."""
        ...

    def check_prompt(self, prompt: str) -> None:
        """Make sure that nothing of `prompt` would be cut off; raises a PromptLengthError."""
        ...


ModelT = TypeVar("ModelT", bound=SizedModel)


@dataclass(frozen=True, eq=False)
class OverModel(Generic[ModelT]):
    """The head of an `Inpainter`: its sizes and the length of its prompts are the model's."""

    model: ModelT
    defaults: InpaintSettings

    @property
    def picture_size(self) -> int:
        """Side of the pictures that it was trained on, in pixels."""
        return self.model.picture_size

    @property
    def size_multiple(self) -> int:
        """Sides of pictures must be multiples of this, in pixels."""
        return self.model.size_multiple

    def check_prompt(self, prompt: str) -> None:
        """Make sure that nothing of `prompt` would be cut off; see `Inpainter`."""
        self.model.check_prompt(prompt)
