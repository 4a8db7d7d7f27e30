"""A backbone, a CLIP and an inpainter of a few lines, so that boxes can be looked for by hand."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from editing.features.backbone import BackboneOutput
from editing.inpainting.inpainter import InpaintSettings

WORDS = {
    "red": (1.0, -1.0, -1.0),
    "green": (-1.0, 1.0, -1.0),
    "blue": (-1.0, -1.0, 1.0),
}


OWN_WAYS = InpaintSettings(guidance_scale=4.0, num_inference_steps=2)


@dataclass(frozen=True)
class SpotBackbone:
    """Looks at patches in the order of `order`, (row, column) each, counted round small grids."""

    order: Sequence[tuple[int, int]] = ((1, 1), (2, 2), (0, 3))
    picture_size: int = 16
    patch_size: int = 4
    spoil: Callable[[Tensor], Tensor] = lambda attention: attention

    def __call__(self, pictures):
        rows, columns = (side // self.patch_size for side in pictures.shape[-2:])
        attention = torch.zeros(len(pictures), rows, columns)
        for place, (row, column) in enumerate(self.order):
            attention[:, row % rows, column % columns] = 1.0 / (1 + place)
        features = torch.nn.functional.avg_pool2d(pictures, self.patch_size)
        return BackboneOutput(self.spoil(attention), features)


class ColourClip:
    """A picture's embedding is its mean colour, a text's the sum of the colours it names."""

    def embed_pictures(self, pictures):
        return pictures.mean((2, 3))

    def embed_with_tokens(self, pictures):
        tokens = torch.nn.functional.adaptive_avg_pool2d(pictures, 4).flatten(2).transpose(1, 2)
        return self.embed_pictures(pictures), tokens

    def embed_patches(self, pictures):
        return torch.nn.functional.adaptive_avg_pool2d(pictures, 2)

    def embed_texts(self, texts):
        rows = []
        for text in texts:
            named = [torch.tensor(WORDS[word]) for word in text.split() if word in WORDS]
            rows.append(sum(named, torch.full((3,), 1e-3)))
        return torch.stack(rows)


@dataclass(frozen=True)
class ColourInpainter:
    """Fills masks with the last colour that the prompt names, a little of it drawn at random.

    It remembers how many masks it was given at a time, and which prompts. Prompts that say `broken`
    come back without numbers.
    """

    picture_size: int = 16
    size_multiple: int = 4
    defaults: InpaintSettings = OWN_WAYS
    batches: list[int] = field(default_factory=list)
    prompts: list[str] = field(default_factory=list)
    settings: list[InpaintSettings] = field(default_factory=list)

    def check_prompt(self, prompt):
        """Every length will do."""

    def inpaint(self, pictures, masks, prompts, generators, *, settings, on_step=lambda: None):
        from editing.finite import require_finite_rows

        self.batches.append(len(pictures))
        self.prompts.extend(prompts)
        self.settings.append(settings)
        made = pictures.clone()
        for row, (prompt, generator) in enumerate(zip(prompts, generators, strict=True)):
            colours = [WORDS[word] for word in prompt.split() if word in WORDS]
            noise = 0.1 * torch.rand(1, generator=generator)
            colour = torch.tensor(colours[-1]).view(3, 1, 1) * (1 - noise)
            if "broken" in prompt:
                colour = colour * torch.nan
            made[row] = torch.where(masks[row] > 0.5, colour, pictures[row])
        on_step()
        require_finite_rows(made, where="in the painted picture")
        return made
