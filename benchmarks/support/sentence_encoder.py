"""A text encoder of the sentence-transformers kind: mean of the last layer over the words."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from transforms.protocols import Vectors


class SentenceEncoder:
    """Embeds texts; it knows no pictures."""

    def __init__(self, network: Any, tokenizer: Any) -> None:
        self._network = network
        self._tokenizer = tokenizer

    @property
    def dimension(self) -> int:
        """Length of an embedding."""
        return int(self._network.config.hidden_size)

    def encode_images(self, images: Sequence[Image.Image]) -> Vectors:
        """Raises TypeError: there is nothing in it for pictures."""
        raise TypeError("a sentence encoder embeds no pictures")

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """L2-normalised embeddings, shape (n, dimension)."""
        import torch

        with torch.inference_mode():
            tokens = self._tokenizer(
                list(texts), padding=True, truncation=True, max_length=128, return_tensors="pt"
            )
            states = self._network(**tokens).last_hidden_state
            there = tokens["attention_mask"].unsqueeze(-1).float()
            means = (states * there).sum(1) / there.sum(1)
            rows: Vectors = torch.nn.functional.normalize(means, dim=-1).numpy().astype(np.float32)
        return rows


def load_sentence_encoder(folder: Path) -> SentenceEncoder:
    """The encoder in a folder that sentence-transformers wrote; nothing is fetched.

    Raises:
        OSError: it holds no network that transformers knows.
    """
    from transformers import AutoModel, AutoTokenizer

    network = AutoModel.from_pretrained(folder, local_files_only=True)
    network.eval()
    return SentenceEncoder(network, AutoTokenizer.from_pretrained(folder, local_files_only=True))
