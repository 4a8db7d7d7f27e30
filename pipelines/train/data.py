"""What an editor is trained on: a data set of pairs, or an index.

Each kind says when it is whole, what tells it from another, how its batches are streamed, and what
is shown of a run.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from editing.errors import SettingError
from editing.pictures import MOST_TIMES
from editing.training.embedding_stream import EmbeddingStream
from editing.training.objective import Objective, PictureObjective, TrainingBatch
from editing.training.pair_settings import PairSettings
from editing.training.pair_stream import PairStream
from indexes.errors import PairloomError
from indexes.folder import open_index
from indexes.layout import IndexFolderError
from pipelines.running.job_folder import require_same, require_whole
from pipelines.terminal.console import EXIT_USAGE, CommandError
from pipelines.train.samples import FoundPictures, PairSheets
from transforms.dataset.files import hash_file
from transforms.dataset.manifest import MANIFEST, load_manifest

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

Description = Mapping[str, Any]


class Stream(Protocol):
    """Batches without end."""

    def batches(
        self, *, first_step: int = 0, rank: int = 0, of: int = 1
    ) -> Iterator[TrainingBatch]:
        """Those from `first_step` on, of each the share of device `rank` `of` several."""
        ...


class Samples(Protocol):
    """What is shown of a run now and then."""

    def __call__(self, step: int, folder: Path, curves: "SummaryWriter") -> None:
        """Draws or notes what the weights after `step` do."""
        ...


@dataclass(frozen=True, kw_only=True)
class StreamPlan:
    """What a stream is of: the data in `folder`, `batch_size` examples a step, drawn by `seed`."""

    folder: Path
    pairs: PairSettings
    batch_size: int
    seed: int


@dataclass(frozen=True, kw_only=True)
class DataKind:
    """A kind of training data.

    `require_whole`, `require_same` and `check`, which sees whether the data suit what is trained,
    raise a CommandError in one line; `describe` is what a run's record says of the data; `open`
    gives the stream and what is shown of a run.
    """

    with_pairs: bool
    require_whole: Callable[[Path], None]
    describe: Callable[[Path], Description]
    require_same: Callable[[Path, Description], None]
    check: Callable[[StreamPlan, Objective[Any, Any]], None]
    open: Callable[[StreamPlan, Objective[Any, Any]], tuple[Stream, Samples]]


def _describe_pairs(folder: Path) -> Description:
    return {"manifest_sha256": hash_file(folder / MANIFEST)}


def _open_pairs(plan: StreamPlan, objective: Objective[Any, Any]) -> tuple[Stream, Samples]:
    assert isinstance(objective, PictureObjective), "what is trained on pairs takes pictures"
    stream = PairStream(
        plan.folder,
        load_manifest(plan.folder),
        plan.pairs,
        size=plan.pairs.size or objective.picture_size,
        batch_size=plan.batch_size,
        seed=plan.seed,
    )
    return stream, PairSheets(objective, stream)


def check_size(plan: StreamPlan, objective: Objective[Any, Any]) -> None:
    """Makes sure that the model can be trained on pictures of the side that is asked for.

    Raises:
        CommandError: it cannot.
    """
    assert isinstance(objective, PictureObjective), "what is trained on pairs takes pictures"
    size, multiple, own = plan.pairs.size, objective.size_multiple, objective.picture_size
    if size is not None and (size % multiple or size > MOST_TIMES * own):
        raise CommandError(
            f"size must be a multiple of {multiple} pixels and at most {MOST_TIMES * own} "
            f"({MOST_TIMES} times the {own} that the model was trained at), got {size}",
            exit_code=EXIT_USAGE,
        )


def _suits_all(plan: StreamPlan, objective: Objective[Any, Any]) -> None:
    """Embeddings have no size that could be wrong."""


def _require_index(folder: Path) -> None:
    try:
        open_index(folder)
    except IndexFolderError as error:
        raise CommandError(f"{folder} must be a finished index: {error}") from error


def _describe_index(folder: Path) -> Description:
    index = open_index(folder)
    return {"index": index.identity, "encoder": index.description.get("encoder")}


def _require_same_index(folder: Path, description: Description) -> None:
    try:
        same = dict(_describe_index(folder)) == description["dataset"]
    except PairloomError:
        same = False
    if not same:
        raise CommandError(
            f"{folder} was made anew or removed while it was being read: what was made of it is "
            "not finished, choose another folder for what is made of the new one"
        )


def _open_index(plan: StreamPlan, objective: Objective[Any, Any]) -> tuple[Stream, Samples]:
    index = open_index(plan.folder)
    try:
        stream = EmbeddingStream(index, batch_size=plan.batch_size, seed=plan.seed)
    except ValueError as error:
        raise SettingError(str(error)) from error
    return stream, FoundPictures(objective, stream)


DATA_KINDS: Mapping[str, DataKind] = {
    "pairs": DataKind(
        with_pairs=True,
        require_whole=require_whole,
        describe=_describe_pairs,
        require_same=require_same,
        check=check_size,
        open=_open_pairs,
    ),
    "index": DataKind(
        with_pairs=False,
        require_whole=_require_index,
        describe=_describe_index,
        require_same=_require_same_index,
        check=_suits_all,
        open=_open_index,
    ),
}
"""By what a recipe calls them."""
