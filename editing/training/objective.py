"""What training needs to know of an editor: a batch of pairs, and the protocol of an objective."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Protocol, TypeVar, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from editing.requests import EditOutput, Request
from editing.tensors import MaskBatch, PerExample, PictureBatch

# In place of `Self`, which the checker of types in tests knows in whole classes alone.
ColumnsT = TypeVar("ColumnsT", bound="Columns")


@dataclass(frozen=True)
class Columns:
    """A record whose every field has one entry an example: a tensor, or a tuple."""

    def part(self: ColumnsT, span: slice) -> ColumnsT:
        """The record of some of the examples."""
        return _change(self, lambda column: column[span])

    def to(self: ColumnsT, device: torch.device) -> ColumnsT:
        """The same with its tensors on `device`."""
        return _change(self, lambda c: c.to(device) if isinstance(c, Tensor) else c)


def _change(record: ColumnsT, change: Callable[[Any], Any]) -> ColumnsT:
    """A record with every column changed."""
    return replace(record, **{f.name: change(getattr(record, f.name)) for f in fields(record)})


@dataclass(frozen=True)
class TrainingBatch(Columns):
    """What a step is made of: examples, whatever they are."""

    def __len__(self) -> int:
        return len(getattr(self, fields(self)[0].name))

    @property
    def sides(self) -> tuple[int, int]:
        """Height and width of its pictures; 0 where it has none."""
        return 0, 0


@dataclass(frozen=True, kw_only=True)
class EmbeddingBatch(TrainingBatch):
    """Pictures of an index by their embeddings, unit vectors, and what each of them shows."""

    images: Float[Tensor, "n d"]
    captions: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class PairBatch(TrainingBatch):
    """Pairs to train on.

    `keys` name the pairs; `source` and `target` are x_1 and x_2 in [-1, 1]; `source_mask` and
    `target_mask` M_1 and M_2, 1 inside, at the pictures' size; `captions` y_1 and
    `edit_prompts` y_2; `source_phrases` and `target_phrases` what is exchanged and y_2^diff, which
    takes its place; `quality` a weight for each pair with mean 1 over the data set.
    """

    keys: tuple[str, ...]
    source: PictureBatch
    target: PictureBatch
    source_mask: MaskBatch
    target_mask: MaskBatch
    captions: tuple[str, ...]
    edit_prompts: tuple[str, ...]
    source_phrases: tuple[str, ...]
    target_phrases: tuple[str, ...]
    quality: PerExample

    @property
    def sides(self) -> tuple[int, int]:
        """Height and width of its pictures."""
        height, width = self.source.shape[-2:]
        return height, width

    def join(self, other: "PairBatch") -> "PairBatch":
        """These pairs and those of `other`."""
        columns: dict[str, Any] = {}
        for column in fields(self):
            both = getattr(self, column.name), getattr(other, column.name)
            joined = both[0] + both[1] if isinstance(both[0], tuple) else torch.cat(both)
            columns[column.name] = joined
        return PairBatch(**columns)


@dataclass(frozen=True)
class Outcome:
    """A batch's summands of the loss by name, each a scalar with gradients.

    `counts` tells how often something happened in the batch that a person should know of, such as
    an empty mask. `pulled` is the tensor that all summands pull at, such as the predicted noise.
    """

    terms: dict[str, Float[Tensor, ""]]
    pulled: Tensor
    counts: Mapping[str, int] = field(default_factory=dict)

    def gradient_norms(self) -> dict[str, float]:
        """How hard each summand pulls: the norm of its gradient in `pulled`.

        The graph stays for the step's own backward pass.
        """
        return {
            name: torch.autograd.grad(term, self.pulled, retain_graph=True)[0].norm().item()
            for name, term in self.terms.items()
        }


DrawT = TypeVar("DrawT", bound=Columns)
BatchT = TypeVar("BatchT", bound=TrainingBatch, contravariant=True)


@dataclass(frozen=True)
class NoDraw(Columns):
    """The draw of an objective in whose steps nothing is random."""


@runtime_checkable
class Objective(Protocol[BatchT, DrawT]):
    """What is trained when, what is drawn for it, and the loss; an editor's own.

    `train` knows no more of an editor than this.
    """

    @property
    def groups(self) -> Sequence[Mapping[str, nn.Parameter]]:
        """The trained weights by name, in groups of which a step trains one.

        Weights outside the step's group require no gradient in it, and have none.
        """
        ...

    def group_of(self, step: int) -> int:
        """Which of `groups` the step trains."""
        ...

    def draw(self, generator: torch.Generator, *, count: int, height: int, width: int) -> DrawT:
        """What is random in a step on `count` examples with pictures of this size, on the CPU."""
        ...

    def __call__(self, batch: BatchT, draw: DrawT) -> Outcome:
        """The loss of a batch, differentiable in the trained weights."""
        ...

    def keep_in(self, folder: Path) -> None:
        """Names the folder for what takes long to compute, which a run that goes on takes up.

        It is this process's alone. Whatever is there is of the same run; without it nothing but
        time is lost.
        """
        ...

    def save_memory(self) -> None:
        """Makes the networks keep fewer activations and compute them again (checkpointing)."""
        ...

    def save(self, folder: Path) -> None:
        """Writes the trained editor's part into `folder`, from where its spec's `model` loads it.

        The folder may hold an earlier one.
        """
        ...


@runtime_checkable
class PictureObjective(Objective[PairBatch, DrawT], Protocol[DrawT]):
    """An objective over pairs of pictures."""

    @property
    def picture_size(self) -> int:
        """Side in pixels of the pictures that are trained on where a person names none."""
        ...

    @property
    def size_multiple(self) -> int:
        """What the side of pictures that are trained on must be a multiple of, in pixels."""
        ...

    def edit_samples(
        self, requests: Sequence[Request], generators: Sequence[torch.Generator]
    ) -> list[EditOutput]:
        """Edits by the weights of now, for a sheet of samples."""
        ...
