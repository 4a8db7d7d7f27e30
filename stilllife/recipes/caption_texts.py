"""Every distinct caption read once by a text encoder, in float16."""

from collections.abc import Callable, Sequence

import torch
from transformers import CLIPTokenizer

AT_ONCE = 500
"""Captions that are read together."""


def number_captions(captions: Sequence[str]) -> tuple[list[str], torch.Tensor]:
    """The distinct captions after the empty text, and each picture's place among them."""
    distinct = ["", *sorted(set(captions))]
    order = {caption: number for number, caption in enumerate(distinct)}
    return distinct, torch.tensor([order[caption] for caption in captions])


@torch.inference_mode()
def read_captions(
    captions: Sequence[str],
    tokenizer: CLIPTokenizer,
    read: Callable[[torch.Tensor], tuple[torch.Tensor, ...]],
) -> tuple[torch.Tensor, ...]:
    """What `read` makes of captions padded to the tokenizer's length, a row each, in float16.

    `read` takes words (n, length) and gives tensors of n rows.
    """
    parts = []
    for start in range(0, len(captions), AT_ONCE):
        words = tokenizer(
            list(captions[start : start + AT_ONCE]),
            padding="max_length",
            max_length=tokenizer.model_max_length,
            truncation=True,
            return_tensors="pt",
        )
        parts.append([found.half() for found in read(words.input_ids)])
    return tuple(torch.cat(column) for column in zip(*parts, strict=True))
