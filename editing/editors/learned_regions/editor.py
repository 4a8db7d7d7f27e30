"""The editor `learned-regions` (Lin et al. 2024): edits without a mask, in boxes that it finds."""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from PIL import Image, ImageChops

from editing.boxes.proposals import Proposals, propose
from editing.editors.learned_regions.choosing import (
    Choice,
    choose_best,
    choose_of_each,
    rank_values,
)
from editing.editors.learned_regions.explaining import Explanation, draw_explanation
from editing.editors.learned_regions.fitting import (
    PaintedBoxes,
    exact_loss,
    fit_region_net,
    straight_through_loss,
)
from editing.editors.learned_regions.judging import (
    EditJudge,
    Worth,
    judge_in_parts,
    make_judge,
    with_area,
)
from editing.editors.learned_regions.painting import draw_seed, inpaint_settings, paint_boxes
from editing.editors.learned_regions.settings import LearnedRegionSettings
from editing.errors import NotFiniteError
from editing.features.backbone import Backbone
from editing.features.clip import PatchClipSpace
from editing.inpainting.inpainter import Inpainter
from editing.inpainting.requests import finish_edit, inpaint_requests, working_size
from editing.pictures import picture_to_tensor, resize, tensor_to_picture
from editing.regions.learned import draw_box
from editing.requests import EditOutput, OnStep, Request, changed_spans
from editing.tensors import PictureTensor


@dataclass(frozen=True, eq=False, kw_only=True)
class LearnedRegionEditor:
    """Paints boxes around what a backbone looks at, and keeps the one whose edit suits the words.

    A request that has a mask is painted inside it, once. `load_inpainter` gives the backend of a
    name.
    """

    backbone: Backbone
    clip: PatchClipSpace
    load_inpainter: Callable[[str], Inpainter]

    def edit(
        self,
        requests: Sequence[Request],
        settings: LearnedRegionSettings,
        generators: Sequence[torch.Generator],
        on_step: OnStep,
    ) -> list[EditOutput]:
        """One result for each request.

        Raises:
            EditError: a request neither has a mask nor says what may change, or there are too few
                anchors.
            EditingError: see `Inpainter.inpaint`.
        """
        inpainter = self.load_inpainter(settings.backend)
        masked = [place for place, each in enumerate(requests) if each.edit_mask is not None]
        searched = [place for place in range(len(requests)) if place not in masked]
        search = _Search(self, inpainter, settings, on_step)
        guilty: list[int] = []
        broken: NotFiniteError | None = None
        outputs: dict[int, EditOutput] = {}
        try:
            painted = inpaint_requests(
                inpainter,
                [requests[place] for place in masked],
                [generators[place] for place in masked],
                settings=inpaint_settings(inpainter, settings),
                at_once=settings.boxes_at_once,
                keep_below=settings.keep_below,
                on_step=on_step,
            )
            outputs |= dict(zip(masked, painted, strict=True))
        except NotFiniteError as error:
            broken, guilty = error, [masked[row] for row in error.places]
        for place in searched:
            try:
                outputs[place] = search.edit(requests[place], generators[place])
            except NotFiniteError as error:
                # Its places are boxes: the request is what is broken.
                broken, guilty = error, [*guilty, place]
        if broken is not None:
            raise NotFiniteError(str(broken), sorted(guilty)) from broken
        return [outputs[place] for place in range(len(requests))]


@dataclass(frozen=True, eq=False)
class _Search:
    """The search for the box of one request, or of each thing that it exchanges."""

    editor: LearnedRegionEditor
    inpainter: Inpainter
    settings: LearnedRegionSettings
    on_step: OnStep

    def edit(self, request: Request, generator: torch.Generator) -> EditOutput:
        """The picture after its last edit, with the union of the boxes as its mask."""
        steps = edits_in_turn(request, one_by_one=self.settings.one_by_one)
        explained: list[Explanation] = []
        image, mask = request.image, Image.new("L", request.image.size)
        for step in steps:
            asked = dataclasses.replace(step, image=image)
            size = working_size(self.inpainter, asked)
            explained.append(self._search(asked, size, generator))
            here = draw_box(explained[-1].box.scaled(size, image.size), image.size)
            made = resize(tensor_to_picture(explained[-1].edit), image.size)
            image, mask = Image.composite(made, image, here), ImageChops.lighter(mask, here)
        done = dataclasses.replace(request, edit_mask=mask)
        output = finish_edit(done, image, worked=size, trained=self.inpainter.picture_size)
        return dataclasses.replace(output, explain=partial(draw_explanation, explained))

    def _search(
        self, request: Request, size: tuple[int, int], generator: torch.Generator
    ) -> Explanation:
        """What was found for one thing, worked at `size` (width, height)."""
        settings, inpainter = self.settings, self.inpainter
        phrase = request.phrase()
        inpainter.check_prompt(request.prompt)
        picture = picture_to_tensor(resize(request.image, size))
        proposals = propose(
            self.editor.backbone, picture, anchors=settings.anchors, sizes=settings.sizes
        )
        seed = draw_seed(generator)
        painted = paint_boxes(
            inpainter,
            picture,
            proposals,
            prompt=request.prompt,
            seed=seed,
            settings=inpaint_settings(inpainter, settings),
            at_once=settings.boxes_at_once,
            keep_below=settings.keep_below,
            on_step=self.on_step,
        )
        judge = make_judge(
            self.editor.clip,
            picture.unsqueeze(0),
            prompt=request.prompt,
            phrase=settings.roi_text(phrase, request.source_prompt),
            weights=settings.weights(),
            views=settings.views,
        )
        judged = judge_in_parts(judge, painted.edits, at_once=settings.boxes_at_once)
        worth = with_area(judged, painted.areas, settings.weight_area)
        choice = choose(
            settings, proposals, painted, worth=worth, picture=picture, judge=judge, seed=seed
        )
        return Explanation(
            picture=picture,
            prompt=request.prompt,
            phrase=phrase,
            proposals=proposals,
            painted=painted,
            worth=worth,
            choice=choice,
        )


def choose(
    settings: LearnedRegionSettings,
    proposals: Proposals,
    painted: PaintedBoxes,
    *,
    worth: Worth,
    picture: PictureTensor,
    judge: EditJudge,
    seed: int,
) -> Choice:
    """The box that the settings' rule keeps, of edits that are made and judged."""
    ranked = rank_values(worth, settings.rank)[painted.places]
    if settings.rule == "argmin":
        return choose_best(ranked)
    if settings.objective == "exact":
        loss_of = exact_loss(worth.loss[painted.places])
    else:
        drawn = torch.Generator().manual_seed(seed)
        loss_of = straight_through_loss(
            painted, picture.unsqueeze(0), judge, drawn, weight_area=settings.weight_area
        )
    probabilities = fit_region_net(
        proposals.pooled(),
        loss_of,
        steps=settings.fit_steps,
        learning_rate=settings.fit_rate,
        seed=seed,
    )
    return choose_of_each(ranked, probabilities)


def edits_in_turn(request: Request, *, one_by_one: bool) -> list[Request]:
    """The request, or, of one that exchanges several things, a request for each from left to right.

    Things are exchanged where words take the place of words and at least half of all words stay;
    words in a row are one thing. Two descriptions that have little in common exchange no things,
    and where `mask_phrase` says what may change it is one.
    """
    if not (one_by_one and request.source_prompt and not request.mask_phrase):
        return [request]
    spans = changed_spans(request.source_prompt, request.prompt)
    exchanged = sum(len(span.before.split()) for span in spans)
    alike = 2 * exchanged <= len(request.source_prompt.split())
    if len(spans) < 2 or not alike or not all(span.before and span.after for span in spans):
        return [request]
    steps, said = [], request.source_prompt
    for span in spans:
        steps.append(
            dataclasses.replace(
                request, prompt=span.prompt, mask_phrase=span.before, source_prompt=said
            )
        )
        said = span.prompt
    return steps
