"""What a build reads, and whether that is still what its data set was begun with."""

from collections.abc import Sequence
from pathlib import Path

from indexes.errors import PairloomError
from indexes.layout import IndexFolderError
from indexes.storage.paths import as_path
from pipelines.build.plan import BuildPlan
from pipelines.running.job_inputs import JobInputs, read_inputs, refuse_changed
from pipelines.terminal.console import CommandError, print_note
from transforms.dataset.files import remove_file
from transforms.dataset.folder import empty_output
from transforms.dataset.shards import OutputShard, read_receipts, receipt_file
from transforms.protocols import SourceError
from transforms.sources.listing import list_source


def make_room(folder: Path, now: JobInputs, *, overwrite: bool) -> None:
    """Forgets what the data set in `folder` was begun with, where that is not what it reads `now`.

    Raises:
        CommandError: shards are made of it, and are not to be overwritten.
        OutputError: a file cannot be removed.
    """
    changed = read_inputs(folder).difference(now)
    if changed is None:
        return
    if read_receipts(folder) and not overwrite:
        raise CommandError(
            f"{folder} holds pairs of what there was before, and {changed}: choose another folder, "
            "or make them anew with --overwrite"
        )
    empty_output(folder)


def begin_shards(plan: BuildPlan, inputs: JobInputs) -> None:
    """Keeps what the shards will be made of, and says where the index's pictures have changed.

    That is told and not refused: a pair is written with the picture that the index has seen, or
    not at all.

    Raises:
        CommandError, OutputError: what is kept cannot be read or written.
    """
    folder = as_path(plan.folder)
    if read_inputs(folder) == JobInputs():
        inputs.write(folder)
    if plan.service is not None:
        return
    indexed = read_inputs(as_path(plan.index_folder)).source
    if indexed is None:
        return
    try:
        same = plan.pool.describe() == plan.source.describe()
        pool = inputs.source if same else list_source(plan.pool)
        changed = JobInputs(source=indexed).difference(JobInputs(source=pool))
    except SourceError as error:
        changed = f"its source cannot be read any more ({error})"
    if changed:
        print_note(
            f"{plan.index_folder} is an index of pictures as they were, and {changed}: pictures "
            "that are gone or are others now become rejects, new ones are not found"
        )


def refuse_other_inputs(plan: BuildPlan, inputs: JobInputs, *, made: Sequence[OutputShard]) -> None:
    """Makes sure that source and index are those that the shards `made` were begun with.

    Where they are not, those shards are dropped.

    Raises:
        CommandError, IndexFolderError: they are not.
    """
    try:
        refuse_changed(plan.source, inputs.source, done="pairs were made of it")
        if plan.service is None and plan.open_index().identity != plan.index_identity:
            raise IndexFolderError(f"{plan.index_folder} was made anew while pairs were made of it")
    except PairloomError:
        for shard in made:
            remove_file(as_path(plan.folder) / receipt_file(shard))
        raise
