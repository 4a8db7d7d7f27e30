"""What the edits of pairs are worth, kept in a file: a run that goes on paints none twice."""

import json
import os
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

WORTH = "worth.jsonl"

Losses = Float[Tensor, " n"]


class KeptWorth:
    """The losses of each pair's different boxes, by the pair's key; in memory until `open`."""

    def __init__(self) -> None:
        self._known: dict[str, Losses] = {}
        self._path: Path | None = None

    def open(self, folder: Path) -> None:
        """Takes up what lies in `folder`, and writes there from now on.

        A last line that an interruption cut off is left out.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / WORTH
        self._path.touch()
        whole, lines = 0, self._path.read_bytes().splitlines(keepends=True)
        for line in lines:
            if line.endswith(b"\n"):
                whole += len(line)
                fields = json.loads(line)
                self._known[fields["key"]] = torch.tensor(fields["losses"])
        os.truncate(self._path, whole)

    def get(self, key: str) -> Losses | None:
        """The losses of a pair, None where they are not known."""
        return self._known.get(key)

    def put(self, key: str, losses: Losses) -> None:
        """Keeps the losses of a pair."""
        self._known[key] = losses
        if self._path is not None:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"key": key, "losses": losses.tolist()}) + "\n")
