"""What an inpainter is: a protocol, and how it is asked to paint."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch

from editing.diffusion.settings import require_guidance, steps_left_out
from editing.settings import require_numbers
from editing.tensors import MaskBatch, PictureBatch


@dataclass(frozen=True, kw_only=True)
class InpaintSettings:
    """How an inpainter paints; the names are diffusers'.

    `strength` in (0, 1] is how much of what lies inside the mask is given up before it is painted
    anew: all of it at 1, where nothing of the source is left but what surrounds the mask.
    `guidance_scale` is the factor of classifier-free guidance, 1 for none; `num_inference_steps`
    the steps from nothing at all, of which the share `strength` is made.
    """

    strength: float = 1.0
    guidance_scale: float = 7.5
    num_inference_steps: int = 50

    def __post_init__(self) -> None:
        steps_left_out(self.strength, self.num_inference_steps)  # raises where they break a rule
        require_guidance(self.guidance_scale)
        require_numbers(self)


@runtime_checkable
class Inpainter(Protocol):
    """Paints inside a mask what a prompt says; a network that was made for it, or one put to it.

    | attribute | what it is |
    |---|---|
    | `picture_size` | side in pixels of the pictures it was trained on |
    | `size_multiple` | what sides of pictures must be multiples of |
    | `defaults` | the settings that suit its networks |
    """

    @property
    def picture_size(self) -> int:
        """Side of the pictures it was trained on, in pixels."""
        ...

    @property
    def size_multiple(self) -> int:
        """Sides of pictures must be multiples of this, in pixels."""
        ...

    @property
    def defaults(self) -> InpaintSettings:
        """The settings that suit it where nobody says others."""
        ...

    def check_prompt(self, prompt: str) -> None:
        """Make sure that nothing of `prompt` would be cut off.

        Raises:
            PromptLengthError: it has more tokens than the text encoder takes.
        """
        ...

    def inpaint(
        self,
        pictures: PictureBatch,
        masks: MaskBatch,
        prompts: Sequence[str],
        generators: Sequence[torch.Generator],
        *,
        settings: InpaintSettings,
        on_step: Callable[[], None] = lambda: None,
    ) -> PictureBatch:
        """The pictures with what lies inside their masks painted anew.

        Pictures are float32 in [-1, 1], masks 1 where they may change; there is a prompt and a
        generator for each picture, and a row does not depend on those beside it. Outside of its
        mask a picture comes back as it was, to the bit. What comes back is in [-1, 1]. No
        gradients pass.

        Raises:
            ValueError: not as many masks, prompts or generators as pictures, or sides that are no
                multiples of `size_multiple`.
            SettingError: more steps than the networks have noise levels.
            PromptLengthError: a prompt has more tokens than the text encoder takes.
            NotFiniteError: the networks gave infinite numbers, or none, for those at its `places`.
        """
        ...
