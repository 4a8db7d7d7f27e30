"""The edits of a batch of pairs, each made or rejected for a reason: what Beam applies."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from editing.errors import EditError, EditingError, NotFiniteError, SettingError
from editing.evaluation.edit_layout import edit_layout
from editing.evaluation.measurer import key_generator
from editing.layouts import Layout
from editing.loading import LoadedEditor
from editing.requests import EditOutput, Request
from pipelines.edit_images.shards import EditTask
from pipelines.terminal.console import EXIT_USAGE, CommandError
from transforms.batches.outcomes import bisect_failures
from transforms.pictures.decoding import PictureError, decode_stored, encode_png
from transforms.pictures.masks import MaskError, decode_mask
from transforms.record import Batch, Reject

NAME = "Edit"
STAGE = NAME.lower()


@dataclass(frozen=True)
class EditBatch:
    """Edits a batch: what Beam applies behind RunInference."""

    settings: Any
    seed: int
    at_once: int = 16

    def __call__(self, batch: Batch[EditTask], editor: LoadedEditor) -> Batch[EditTask]:
        """`batch` with results for sources; what cannot be edited becomes a reject.

        Raises:
            CommandError: the editor cannot work with a setting, whatever the pair.
        """
        work = partial(self._edit, editor=editor, shard=batch.shard)
        records, rejects = bisect_failures(
            batch.records,
            work,
            partial(reject_task, shard=batch.shard),
            at_once=self.at_once,
        )
        return dataclasses.replace(
            batch, records=tuple(records), rejects=(*batch.rejects, *rejects)
        )

    def _edit(
        self, tasks: Sequence[EditTask], *, editor: LoadedEditor, shard: str
    ) -> list[EditTask | Reject]:
        results: dict[int, EditTask | Reject] = {}
        requests: dict[int, Request] = {}
        for place, task in enumerate(tasks):
            try:
                requests[place] = make_request(task, needs=editor.spec.needs)
            except (PictureError, MaskError, EditingError) as error:
                reason = error.reason if isinstance(error, PictureError) else "bad_request"
                results[place] = reject_task(task, reason, str(error), shard=shard)
        outputs: Mapping[int, EditOutput] = {}
        while requests:
            try:
                outputs = self._outputs(tasks, requests, editor)
                break
            except NotFiniteError as error:
                if not error.places:
                    raise
                for place in [list(requests)[row] for row in error.places]:
                    del requests[place]
                    results[place] = reject_task(
                        tasks[place], "not_finite", str(error), shard=shard
                    )
        for place, output in outputs.items():
            results[place] = finish_task(tasks[place], output)
        return [results[place] for place in range(len(tasks))]

    def _outputs(
        self, tasks: Sequence[EditTask], requests: Mapping[int, Request], editor: LoadedEditor
    ) -> dict[int, EditOutput]:
        """The edits of `requests`, which stand at places of `tasks`."""
        generators = [key_generator(tasks[place].key, self.seed) for place in requests]
        try:
            outputs = editor.edit(list(requests.values()), self.settings, generators)
        except SettingError as error:
            # Of no pair but of the command line: as a reject it would come back for every pair.
            raise CommandError(str(error), exit_code=EXIT_USAGE) from error
        return dict(zip(requests, outputs, strict=True))


def make_request(task: EditTask, *, needs: Sequence[str] = ()) -> Request:
    """What is asked of an editor for a pair; `needs` are those of its spec.

    What its source let into the data set is not judged again by its size.

    Raises:
        PictureError: a picture cannot be decoded.
        MaskError: a mask is none of its picture.
        EditError: the pair asks for nothing that can be made, or has not what the editor needs.
    """
    image = decode_stored(task.image, task.limits)
    target = decode_stored(task.pseudo_target, task.limits) if task.pseudo_target else None
    return Request(
        image=image,
        prompt=task.edit_prompt,
        source_prompt=task.caption,
        mask_phrase=task.source_phrase,
        pseudo_target_image=target,
        layout=_layout(task, image.size) if "layout" in needs else None,
    )


def _layout(task: EditTask, size: tuple[int, int]) -> Layout:
    if task.source_mask is None:
        raise EditError("the pair has no mask, of which a layout could be made")
    return edit_layout(
        decode_mask(task.source_mask, size),
        task.edit_prompt,
        phrase=task.target_phrase,
        source_prompt=task.caption,
    )


def finish_task(task: EditTask, output: EditOutput) -> EditTask:
    """The edit that was made in the place of its source."""
    return dataclasses.replace(
        task,
        image=encode_png(output.image),
        pseudo_target=b"",
        source_mask=None,
        remarks=tuple(remark.name for remark in output.remarks),
    )


def reject_task(task: EditTask, reason: str, detail: str, *, shard: str) -> Reject:
    """The reject of an edit that could not be made."""
    return Reject(
        key=task.source_key,
        shard=shard,
        position=task.position,
        stage=STAGE,
        reason=reason,
        detail=detail,
        number=task.number,
        caption=task.caption,
        edit_prompt=task.edit_prompt,
    )
