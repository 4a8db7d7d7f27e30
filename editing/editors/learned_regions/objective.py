"""Training a region network that sees the text, on a data set of pairs.

The paper fits a network to each picture. Here one network learns over many: of each pair all K x M
boxes are painted once, by the editor's own backend from a noise that the pair's key draws, and what
their edits are worth is kept. What is minimised is the expected loss over all boxes,
sum_kj pi_kj L_kj with one softmax over them, exactly; large boxes cost a little.
"""

import functools
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from editing.boxes.proposals import Proposals, propose
from editing.boxes.text_region_net import (
    TextRegionNet,
    choose_box,
    read_edit,
    save_region_net,
)
from editing.editors.learned_regions.judging import Worth, judge_in_parts, make_judge
from editing.editors.learned_regions.kept_worth import KeptWorth
from editing.editors.learned_regions.painting import inpaint_settings, paint_boxes
from editing.editors.learned_regions.seen_pairs import SeenPair, SeenPairs
from editing.editors.learned_regions.settings import RegionTraining
from editing.features.backbone import Backbone
from editing.features.clip import PatchClipSpace
from editing.inpainting.inpainter import Inpainter
from editing.inpainting.requests import inpaint_requests
from editing.regions.learned import LearnedRegions
from editing.requests import EditOutput, Request
from editing.tensors import PictureTensor
from editing.training.objective import NoDraw, Outcome, PairBatch

INITIAL_SEED = 0
"""Draws the network's first weights."""


@dataclass(frozen=True, eq=False, kw_only=True)
class RegionObjective:
    """The expected loss of the boxes that a network chooses among, and all else of its training."""

    backbone: Backbone
    clip: PatchClipSpace
    inpainter: Inpainter
    settings: RegionTraining
    kept: KeptWorth = field(default_factory=KeptWorth)
    seen: SeenPairs = field(default_factory=SeenPairs)

    @functools.cached_property
    def net(self) -> TextRegionNet:
        """The network that is trained."""
        side = self.inpainter.picture_size
        blank = self.backbone(torch.zeros(1, 3, side, side))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(INITIAL_SEED)
            net = TextRegionNet(
                depth=blank.features.shape[1],
                text_width=self.clip.embed_texts(["a"]).shape[1],
                picture_size=side,
            )
        return net.to(blank.features.device)

    @functools.cached_property
    def groups(self) -> tuple[dict[str, nn.Parameter], ...]:
        """All of the network, in every step."""
        return (dict(self.net.named_parameters()),)

    @property
    def picture_size(self) -> int:
        """Side of the pictures that the inpainter was trained on, in pixels."""
        return self.inpainter.picture_size

    @property
    def size_multiple(self) -> int:
        """What sides of pictures must be multiples of, for the inpainter."""
        return self.inpainter.size_multiple

    def group_of(self, step: int) -> int:
        """There is one group."""
        return 0

    def draw(self, generator: torch.Generator, *, count: int, height: int, width: int) -> NoDraw:
        """Nothing: the noise of a pair's edits is its key's."""
        return NoDraw()

    def save_memory(self) -> None:
        """The network is small: there is nothing to save."""

    def keep_in(self, folder: Path) -> None:
        """Keeps in `folder` what the edits of pairs are worth, and goes on from what is there."""
        self.kept.open(folder)

    def edit_samples(
        self, requests: Sequence[Request], generators: Sequence[torch.Generator]
    ) -> list[EditOutput]:
        """One edit each, in its mask or in the box that the network chooses now."""
        settings = self.settings
        finder = LearnedRegions(
            backbone=self.backbone,
            clip=self.clip,
            net=self.net,
            anchors=settings.anchors,
            sizes=settings.sizes,
        )
        masked = [
            each if each.edit_mask else replace(each, edit_mask=finder.find([each], [drawn])[0])
            for each, drawn in zip(requests, generators, strict=True)
        ]
        return inpaint_requests(
            self.inpainter,
            masked,
            generators,
            settings=inpaint_settings(self.inpainter, settings),
            at_once=settings.boxes_at_once,
            keep_below=settings.keep_below,
        )

    def save(self, folder: Path) -> None:
        """Writes the network alone."""
        save_region_net(self.net, folder)

    def __call__(self, batch: PairBatch, draw: NoDraw) -> Outcome:
        """The expected loss of a batch of pairs, differentiable in the network's weights."""
        summands = []
        for row in range(len(batch.keys)):
            picture = batch.source[row].cpu()
            key = f"{batch.keys[row]} {picture.shape[-1]}"
            seen = self._see(batch, row, picture, key)
            losses = self._losses(batch, row, picture, seen.proposals, key)
            logits = choose_box(self.net, seen.proposals, seen.asked) / self.settings.temperature
            probabilities = torch.softmax(logits.flatten(), dim=0).view_as(logits)
            summands.append((probabilities * losses).sum())
        pulled = torch.stack(summands)
        return Outcome({"expected": (pulled * batch.quality.cpu()).mean()}, pulled)

    def _see(self, batch: PairBatch, row: int, picture: PictureTensor, key: str) -> SeenPair:
        """What the frozen networks see of a pair."""
        known = self.seen.get(key)
        if known is not None:
            return known
        proposals = propose(
            self.backbone, picture, anchors=self.settings.anchors, sizes=self.settings.sizes
        )
        asked = read_edit(
            self.clip,
            picture,
            prompt=batch.edit_prompts[row],
            phrase=batch.source_phrases[row],
            grid=proposals.grid,
        )
        seen = SeenPair(proposals, asked)
        self.seen.put(key, seen)
        return seen

    def _losses(
        self, batch: PairBatch, row: int, picture: PictureTensor, proposals: Proposals, key: str
    ) -> Float[Tensor, "k m"]:
        """L_kj of a pair and what a box's area adds, standardised where the settings say so."""
        worth = self.kept.get(key)
        if worth is None:
            worth = self._paint(batch, row, picture, proposals)
            self.kept.put(key, worth)
        losses = worth[proposals.places] + self.settings.weight_area * proposals.areas()
        if self.settings.standardise:
            losses = (losses - losses.mean()) / losses.std().clamp_min(1e-6)
        return losses

    def _paint(
        self, batch: PairBatch, row: int, picture: PictureTensor, proposals: Proposals
    ) -> Tensor:
        """The losses of all different boxes of a pair."""
        settings, prompt = self.settings, batch.edit_prompts[row]
        painted = paint_boxes(
            self.inpainter,
            picture,
            proposals,
            prompt=prompt,
            seed=seed_of(batch.keys[row]),
            settings=inpaint_settings(self.inpainter, settings),
            at_once=settings.boxes_at_once,
            keep_below=settings.keep_below,
        )
        judge = make_judge(
            self.clip,
            picture.unsqueeze(0),
            prompt=prompt,
            phrase=settings.roi_text(batch.source_phrases[row], batch.captions[row]),
            weights=settings.weights(),
            views=settings.views,
        )
        worth: Worth = judge_in_parts(judge, painted.edits, at_once=settings.boxes_at_once)
        return worth.loss


def seed_of(key: str) -> int:
    """The seed of the noise in a pair's edits."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:7], "big")
