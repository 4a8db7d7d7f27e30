"""What can be chosen, by name. Imports no network library, so that the command line may know it."""

from typing import Literal

METHODS = ("copy", "sdedit", "iedit", "iedit-m")
"""Editing methods, see `editing.editors.sdedit.editor`."""

TRAINED = ("iedit", "iedit-m")
"""Those that edit with trained weights."""

MASKED = ("iedit-m",)
"""Those that look for a mask where none is given."""

RETRIEVE = "retrieve"
"""What an evaluation has beside the methods: the pseudo-target itself stands for the edit."""

STRENGTHS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
"""What a method is evaluated at."""

PROMPTS = {"edit": "edit_prompt", "target": "target_caption"}
"""What a pair is trained under: the edit prompt, or (as a baseline) the pseudo-target's caption."""

FID_FEATURES = ("judge", "clip", "inception")
"""What FID compares: the still life's judge, the preset's CLIP, or InceptionV3 as in papers."""

LPIPS_NETWORKS = ("alex", "vgg", "squeeze")

MaskCombine = Literal["paper", "union"]
MASK_COMBINES: tuple[MaskCombine, ...] = ("paper", "union")
"""What is inside and outside of a pair, see `editing.editors.iedit.losses.masked_loss`."""

PAPER_WEIGHTS = {"loc": 1.0, "global": 1.0, "mask": 1.0, "paired": 0.0, "perc": 0.1}
"""The weights of iEdit's equation 12, by term; `paired` is equation 4, which `mask` takes over."""

DTYPES = ("float32", "float16", "bfloat16")
"""Precision of a diffusion model's weights; sums of noise and latents are in float32 always."""

PRECISIONS = ("no", "fp16", "bf16")
OPTIMISERS = ("adamw", "adamw8bit")
